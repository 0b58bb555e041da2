/** A name of ours: `<tenant>/<id>` or `<tenant>/<job id>/<part>`, every part `[A-Za-z0-9_.-]{1,80}` and none of dots only. */
export type BlobName = string & { readonly __blob: unique symbol }

export interface Written {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

/** A blob as a file that tools can seek in; dispose to give it back. */
export interface LocalFile extends AsyncDisposable {
  readonly path: string
}

/**
 * Where media lies: a folder, or a bucket. Names are ours, never a caller's. What is written is there whole or not at all.
 * Rejects with FaultError: `not_found`, `payload_too_large`, `storage_full`, `storage_unavailable`.
 */
export interface Storage extends AsyncDisposable {
  /** Streams in at most `maxBytes`; nothing remains when it rejects. Writing a name again replaces it. */
  write(name: BlobName, source: AsyncIterable<Uint8Array>, maxBytes: number, signal?: AbortSignal): Promise<Written>
  /** `range`: first and last byte, both included. */
  read(name: BlobName, range?: { readonly first: number; readonly last: number }): Promise<AsyncIterable<Uint8Array>>
  /** Null where there is none. */
  size(name: BlobName): Promise<number | null>
  local(name: BlobName): Promise<LocalFile>
  /** Removing what is not there is no fault. */
  remove(name: BlobName): Promise<void>
  /** Everything below a folder: `<tenant>` or `<tenant>/<job id>`. */
  removeAll(folder: string): Promise<void>
  /** Every name there is, for the daily count of orphans. */
  list(): AsyncIterable<BlobName>
  /** Free bytes beyond the reserve, below zero when nothing is taken any more; null where only a bucket's provider knows. */
  room(): Promise<number | null>
}

const PART = /^(?!\.+$)[A-Za-z0-9_.-]{1,80}$/

/** Throws RangeError for parts that are none of ours. */
export function blobName(...parts: readonly [tenant: string, ...rest: string[]]): BlobName {
  if (parts.length < 2 || parts.some((part) => !PART.test(part))) throw new RangeError('not the name of a blob')
  return parts.join('/') as BlobName
}
