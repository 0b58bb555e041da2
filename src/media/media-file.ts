import type { Instant } from '../units.ts'
import type { Probed } from './media-tools.ts'

/** `media` is looked at when it comes, `batch` is lines of jobs, `output` was made by a job or a batch. */
export const FILE_PURPOSES = ['media', 'batch', 'output'] as const
export type FilePurpose = (typeof FILE_PURPOSES)[number]

/** A file of a tenant's. The bytes lie in storage under `<tenant>/<id>`. */
export interface MediaFile {
  /** `file_` and 26 letters, sorted by time. */
  readonly id: string
  readonly tenant: string
  readonly keyId: string
  readonly purpose: FilePurpose
  /** While `uploading` its bytes are a promise; only what is `ready` can be read or used. */
  readonly status: 'uploading' | 'ready'
  readonly bytes: number
  /** Hex; null while it is uploading. */
  readonly sha256: string | null
  /** As its owner called it: for reading only, never part of a path. */
  readonly filename: string | null
  /** From our own look at it, never from a header. */
  readonly mime: string
  readonly media: Probed | null
  readonly createdAt: Instant
  /** Removed soon after, with its bytes. A job that needs the file holds it for longer. */
  readonly expiresAt: Instant
}
