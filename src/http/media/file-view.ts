import { z } from '@hono/zod-openapi'
import { iso, Time, Whole } from '../../jobs/wire.ts'
import { FILE_PURPOSES, type MediaFile } from '../../media/media-file.ts'

export const FileView = z
  .object({
    id: z.string().openapi({ example: 'file_01k8xj3v5e7q9zt2m4n6p8r0sw' }),
    object: z.literal('file'),
    purpose: z.enum(FILE_PURPOSES),
    filename: z.string().nullable(),
    size_bytes: Whole,
    sha256: z.string().openapi({ description: 'Hex' }),
    mime: z.string().openapi({ description: 'From the bytes themselves, whatever a header said' }),
    media: z
      .object({
        kind: z.enum(['audio', 'video', 'image']),
        format: z.string(),
        duration_ms: z.number().nullable(),
        channels: Whole.nullable(),
        width: Whole.nullable(),
        height: Whole.nullable(),
        pages: Whole.nullable(),
      })
      .nullable(),
    created_at: Time,
    expires_at: Time.openapi({ description: 'Removed soon after, unless a job needs it for longer' }),
    urls: z.object({ self: z.string(), content: z.string() }),
  })
  .openapi('File')

export function fileView(file: MediaFile): z.infer<typeof FileView> {
  const { media } = file
  const self = `/v1/files/${file.id}`
  return {
    id: file.id,
    object: 'file',
    purpose: file.purpose,
    filename: file.filename,
    size_bytes: file.bytes,
    sha256: file.sha256 ?? '',
    mime: file.mime,
    media:
      media === null
        ? null
        : {
            ...{ kind: media.kind, format: media.format, channels: media.channels, pages: media.pages },
            ...{ duration_ms: media.duration, width: media.width, height: media.height },
          },
    created_at: iso(file.createdAt),
    expires_at: iso(file.expiresAt),
    urls: { self, content: `${self}/content` },
  }
}
