import { randomUUID } from 'node:crypto'
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, opendir, realpath, rename, rm, rmdir, stat, statfs, unlink } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FaultError } from '../faults.ts'
import { type Instant, later, ms } from '../units.ts'
import { Measured } from './measured.ts'
import { type BlobName, blobName, type LocalFile, type Storage, type Written } from './storage.ts'

/** Where bytes lie until all of them are there. No tenant's name begins with a dot. */
const INCOMING = '.incoming'
/** Left by a process that died while writing, and older than any request lasts. */
const STALE = ms(24 * 3_600_000)
/** How many bytes are written between two looks at the free space. */
const LOOK_EVERY = 16 * 1_024 * 1_024
const READ_ONLY = constants.O_RDONLY | constants.O_NOFOLLOW
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/**
 * Blobs as files of mode 600 below one folder. What is being written has a name of its own until it is whole and on the
 * disk; then it is renamed.
 */
export class FolderStorage implements Storage {
  readonly #root: string
  /** Free bytes below which nothing is taken. */
  readonly #reserve: number

  private constructor(root: string, reserve: number) {
    this.#root = root
    this.#reserve = reserve
  }

  static async open(path: string, reserve: number, now: Instant): Promise<FolderStorage> {
    const incoming = join(resolve(path), INCOMING)
    await mkdir(incoming, { recursive: true, mode: 0o700 }).catch(asFault)
    const storage = new FolderStorage(await realpath(path), reserve)
    for await (const { name } of await opendir(incoming)) {
      const left = await stat(join(incoming, name)).catch(() => null)
      if (left !== null && later(left.mtimeMs as Instant, STALE) < now) await rm(join(incoming, name), { force: true })
    }
    return storage
  }

  async write(
    name: BlobName,
    source: AsyncIterable<Uint8Array>,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Written> {
    await this.#requireRoom()
    const aside = join(this.#root, INCOMING, randomUUID())
    const measured = new Measured(maxBytes)
    try {
      const handle = await open(aside, CREATE, 0o600)
      const sink = createWriteStream(aside, { fd: handle, flush: true })
      await pipeline(measured.pass(source), this.#guard(), sink, signal === undefined ? {} : { signal })
      await this.#place(aside, name)
    } catch (error) {
      await rm(aside, { force: true })
      signal?.throwIfAborted()
      return asFault(error)
    }
    return measured.result()
  }

  async read(name: BlobName, range?: { first: number; last: number }): Promise<AsyncIterable<Uint8Array>> {
    const handle = await open(await this.#pathOf(name), READ_ONLY).catch(asFault)
    const bounds = range === undefined ? {} : { start: range.first, end: range.last }
    return createReadStream('', { fd: handle, highWaterMark: 256 * 1_024, ...bounds })
  }

  async size(name: BlobName): Promise<number | null> {
    const found = await stat(await this.#pathOf(name)).catch(ifMissing(null))
    return found?.isFile() === true ? found.size : null
  }

  async local(name: BlobName): Promise<LocalFile> {
    const path = await this.#pathOf(name)
    await stat(path).catch(asFault)
    return { path, [Symbol.asyncDispose]: async () => undefined }
  }

  async remove(name: BlobName): Promise<void> {
    const path = await this.#pathOf(name)
    await unlink(path).catch(ifMissing(undefined))
    // The last one out closes the door; whoever still is in there keeps it open.
    const folder = dirname(path)
    if (dirname(folder) !== this.#root) await rmdir(folder).catch(() => undefined)
  }

  async removeAll(folder: string): Promise<void> {
    const name = blobName(...(folder.split('/') as [string]), 'any')
    await rm(dirname(await this.#pathOf(name)), { recursive: true, force: true }).catch(asFault)
  }

  async *list(): AsyncIterable<BlobName> {
    for await (const entry of await opendir(this.#root, { recursive: true }).catch(asFault)) {
      const parts = join(entry.parentPath, entry.name)
        .slice(this.#root.length + 1)
        .split(sep)
      if (entry.isFile() && parts.length > 1 && parts[0] !== INCOMING) yield blobName(...(parts as [string]))
    }
  }

  async room(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#root).catch(asFault)
    return bavail * bsize - this.#reserve
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #requireRoom(): Promise<void> {
    if ((await this.room()) < 0) throw full()
  }

  /** Looks at the free space again and again while much is written. */
  #guard(): Transform {
    let sinceLook = 0
    return new Transform({
      transform: (chunk: Uint8Array, _encoding, done) => {
        sinceLook += chunk.length
        if (sinceLook < LOOK_EVERY) return done(null, chunk)
        sinceLook = 0
        this.#requireRoom().then(() => done(null, chunk), done)
      },
    })
  }

  async #place(aside: string, name: BlobName): Promise<void> {
    const path = join(this.#root, name)
    // Twice, because the folder may be taken away as empty between the two calls.
    for (let attempt = 1; ; attempt++) {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      try {
        return await rename(aside, await this.#pathOf(name))
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || attempt === 2) throw error
      }
    }
  }

  /** Where a blob lies. Throws RangeError should a link have led its folder out of ours. */
  async #pathOf(name: BlobName): Promise<string> {
    const path = resolve(this.#root, name)
    const folder = await realpath(dirname(path)).catch(ifMissing(dirname(path)))
    if (!`${folder}${sep}`.startsWith(this.#root + sep) || folder === this.#root) throw new RangeError('not a blob')
    return path
  }
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code)

function ifMissing<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return instead
    return asFault(error)
  }
}

const full = (cause?: unknown) =>
  new FaultError('storage_full', 'There is no room for more media at the moment.', { cause, retryAfterMs: 60_000 })

/** Throws what the seam promises for what the file system says; what is none of its errors as it is. */
function asFault(error: unknown): never {
  const code = codeOf(error)
  if (code === 'ENOENT' || code === 'ENOTDIR') throw new FaultError('not_found', 'There are no such bytes.')
  if (code === 'ENOSPC' || code === 'EDQUOT') throw full(error)
  if (['EIO', 'EROFS', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'ESTALE', 'ETIMEDOUT'].includes(code)) {
    throw new FaultError('storage_unavailable', 'Media cannot be stored or read at the moment.', {
      retryAfterMs: 5_000,
      cause: error,
    })
  }
  throw error
}
