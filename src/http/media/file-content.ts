import type { Context } from 'hono'
import { FaultError } from '../../faults.ts'
import type { MediaFile } from '../../media/media-file.ts'
import { blobName, type Storage } from '../../storage/storage.ts'

/**
 * A file's bytes, whole or one range of them. Never shown inside a page: a caller's own bytes come from our own host, so they
 * are always an attachment, of the kind that we found them to be.
 */
export async function fileContent(c: Context, storage: Storage, file: MediaFile): Promise<Response> {
  const tag = `"${file.sha256}"`
  c.header('ETag', tag)
  c.header('Accept-Ranges', 'bytes')
  c.header('Cache-Control', 'private, no-cache')
  c.header('X-Content-Type-Options', 'nosniff')
  c.header('Content-Security-Policy', "default-src 'none'; sandbox")
  if (tagsOf(c.req.header('if-none-match')).some((each) => each === '*' || each === tag)) return c.body(null, 304)

  c.header('Content-Type', file.mime)
  c.header('Content-Disposition', dispositionOf(file))
  const range = rangeOf(c, tag, file.bytes)
  const { first, last } = range ?? { first: 0, last: file.bytes - 1 }
  c.header('Content-Length', String(last - first + 1))
  if (range !== null) c.header('Content-Range', `bytes ${first}-${last}/${file.bytes}`)
  const status = range === null ? 200 : 206
  // Nobody would read what is opened for a HEAD.
  if (c.req.method === 'HEAD') return c.body(null, status)
  const bytes = await storage.read(blobName(file.tenant, file.id), range ?? undefined)
  return c.body(ReadableStream.from(bytes), status)
}

const tagsOf = (header: string | undefined): string[] =>
  (header ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''))

/** The one range that is asked for; null for all of it. Several at once are answered with all, as RFC 9110 allows. */
function rangeOf(c: Context, tag: string, bytes: number): { first: number; last: number } | null {
  const asked = /^bytes=(\d*)-(\d*)$/.exec(c.req.header('range') ?? '')
  const ifRange = c.req.header('if-range')
  if (asked === null || (ifRange !== undefined && ifRange !== tag)) return null
  const [, from = '', to = ''] = asked
  if (from === '' && to === '') return null
  const first = from === '' ? Math.max(0, bytes - Number(to)) : Number(from)
  const last = from === '' || to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1)
  if (first < bytes && first <= last) return { first, last }
  c.header('Content-Range', `bytes */${bytes}`)
  throw new FaultError('range_not_satisfiable', `The file has ${bytes} bytes.`)
}

/** Both spellings of the name: plain for old clients, and RFC 5987's for names beyond ASCII. */
function dispositionOf(file: MediaFile): string {
  const name = file.filename ?? file.id
  const plain = name.replace(/[^ -~]|["\\%]/g, '_')
  const full = encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${plain}"${plain === name ? '' : `; filename*=UTF-8''${full}`}`
}
