import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { FaultError } from '../faults.ts'
import { idTime } from '../media/ids.ts'
import type { FilePurpose, MediaFile } from '../media/media-file.ts'
import type { Probed } from '../media/media-tools.ts'
import type { Instant, Ms } from '../units.ts'
import { keys } from './keys.ts'
import { fromStore as awaitStore } from './limit-scripts.ts'

/** What is known of a file before its bytes are there. */
export interface NewFile {
  readonly id: string
  readonly tenant: string
  readonly keyId: string
  readonly filename: string | null
  /** The most it can become: so much is kept free for it. */
  readonly bytes: number
  /** Not ready by then: removed. */
  readonly expiresAt: Instant
  /** Set for resumable uploads: their whole length and the caller's own note, given back as it came. */
  readonly upload?: { readonly length: number; readonly note: string }
}

/** What it turned out to be. */
export interface FileFacts {
  readonly purpose: FilePurpose
  readonly bytes: number
  readonly sha256: string
  readonly mime: string
  readonly media: Probed | null
  /** Until when it stays if no job needs it. */
  readonly unusedUntil: Instant
}

/** What a tenant's files may take in all. Null: no limit. */
export interface FileQuota {
  readonly storage: number | null
  readonly files: number | null
}

/** A resumable upload as far as it has come. */
export interface UploadState {
  readonly file: MediaFile
  readonly length: number
  readonly offset: number
  readonly note: string
}

export interface FileFilter {
  readonly purpose?: FilePurpose | undefined
  readonly after?: string | undefined
  readonly before?: string | undefined
  readonly limit: number
}

type Argument = string | number
type Script = (root: string, ...args: Argument[]) => Promise<unknown>
const SCRIPTS = ['reserve', 'commit', 'claim', 'release', 'condemn', 'forget', 'append', 'list'] as const
type Scripts = Record<`files${Capitalize<(typeof SCRIPTS)[number]>}`, Script>

/**
 * Records of files, by tenant. The order that keeps bytes and records together: a record before its first byte, bytes gone
 * before their record. Every method may be called again after a lost reply. Rejects with FaultError `store_unavailable` when
 * Redis is away. `now` is for tests: without it Redis's own time decides.
 */
export class FileStore {
  readonly #redis: Redis & Scripts
  readonly #now: () => Instant | ''

  constructor(redis: Redis, now: () => Instant | '' = () => '') {
    this.#redis = withScripts(redis)
    this.#now = now
  }

  /** Rejects with `storage_full` where the tenant's quota has no room for it. */
  async reserve(file: NewFile, quota: FileQuota): Promise<void> {
    const { id, tenant, keyId, filename, bytes, expiresAt, upload } = file
    await fromStore(this.#redis.sadd(keys.fileTenants, tenant))
    const room = [quota.storage ?? '', quota.files ?? '']
    const more = upload === undefined ? ['', ''] : [upload.length, upload.note]
    const head = JSON.stringify({ id, tenant, keyId, filename })
    const answer = await this.#run('filesReserve', tenant, id, head, bytes, expiresAt, ...room, ...more)
    if (answer === 'ok') return
    const what = answer === 'files' ? `${quota.files} files` : `${quota.storage} bytes`
    throw new FaultError('storage_full', `Your files may take ${what} in all: remove some.`)
  }

  /** All bytes are in storage. False when the file has been given up meanwhile. */
  async commit(tenant: string, id: string, facts: FileFacts): Promise<boolean> {
    const { purpose, bytes, sha256, mime, media, unusedUntil } = facts
    const json = media === null ? '' : JSON.stringify(media)
    return (await this.#run('filesCommit', tenant, id, bytes, sha256, mime, json, unusedUntil, purpose)) === 1
  }

  /** A file that can be used; null for what is not there, or not there yet. */
  async read(tenant: string, id: string): Promise<MediaFile | null> {
    const file = fileFrom(await fromStore(this.#redis.hgetall(fileKey(tenant, id))))
    return file?.status === 'ready' ? file : null
  }

  /** Whether there is a record of it, whatever its state. */
  async exists(tenant: string, id: string): Promise<boolean> {
    return (await fromStore(this.#redis.exists(fileKey(tenant, id)))) === 1
  }

  /** A resumable upload, under way or come to its end. */
  async upload(tenant: string, id: string): Promise<UploadState | null> {
    const raw = await fromStore(this.#redis.hgetall(fileKey(tenant, id)))
    const file = fileFrom(raw)
    if (file === null || raw.length === undefined) return null
    return { file, length: Number(raw.length), offset: Number(raw.offset), note: raw.note ?? '' }
  }

  async list(tenant: string, filter: FileFilter): Promise<{ files: MediaFile[]; hasMore: boolean }> {
    const { after = '', before = '', purpose = '', limit } = filter
    const reply = (await this.#run('filesList', tenant, after, before, purpose, limit)) as [number, ...string[][]]
    const [more, ...found] = reply
    return { files: found.map((flat) => fileFrom(fromFlat(flat))).filter((f) => f !== null), hasMore: more === 1 }
  }

  /** A piece of an upload is in storage. Null when it has moved on meanwhile: then the piece is nobody's. */
  async append(tenant: string, id: string, piece: { at: number; bytes: number; name: string }): Promise<number | null> {
    const { at, bytes, name } = piece
    const offset = (await this.#run('filesAppend', tenant, id, at, bytes, name, MOST_PIECES)) as number
    return offset === -1 ? null : offset
  }

  /** The pieces of an upload, in order. */
  async pieces(tenant: string, id: string): Promise<{ bytes: number; name: string }[]> {
    const lines = await fromStore(this.#redis.lrange(`${fileKey(tenant, id)}:parts`, 0, -1))
    return lines.map((line) => {
      const [bytes, name] = line.split(' ') as [string, string]
      return { bytes: Number(bytes), name }
    })
  }

  /** A job needs the file until then; false where there is no such file. */
  async claim(tenant: string, id: string, job: string, until: Instant): Promise<boolean> {
    return (await this.#run('filesClaim', tenant, id, job, until)) === 1
  }

  /**
   * A job needs the file no longer, and lets it live for `keep` more; null as if it had never claimed it. True: nobody
   * else does, so remove its bytes now, then call `forget`.
   */
  async release(tenant: string, id: string, job: string, keep: Ms | null): Promise<boolean> {
    return (await this.#run('filesRelease', tenant, id, job, keep ?? '')) === 1
  }

  /** Makes a file unreadable: `gone` means that its bytes are now to be removed, `needed` that a job still needs it. */
  async condemn(tenant: string, id: string, by: 'owner' | 'expiry'): Promise<'gone' | 'needed' | 'none'> {
    // Its end is told by the sweep of tenants with jobs, also where there never was one.
    if (by === 'expiry') await fromStore(this.#redis.sadd(keys.jobTenants, tenant))
    return (await this.#run('filesCondemn', tenant, id, by)) as 'gone' | 'needed' | 'none'
  }

  /** The bytes are gone. */
  async forget(tenant: string, id: string): Promise<void> {
    await this.#run('filesForget', tenant, id)
  }

  /** What a tenant's files take, with what is promised to uploads. */
  async held(tenant: string): Promise<{ bytes: number; files: number }> {
    const root = keys.tenant(tenant)
    const [bytes, files] = await fromStore(
      Promise.all([this.#redis.hget(`${root}:files:held`, 'bytes'), this.#redis.zcard(`${root}:files`)]),
    )
    return { bytes: Number(bytes ?? 0), files }
  }

  /** Files whose time is over, oldest first. */
  async expired(tenant: string, now: Instant, most: number): Promise<string[]> {
    const key = `${keys.tenant(tenant)}:files:expiring`
    return fromStore(this.#redis.zrangebyscore(key, '-inf', now, 'LIMIT', 0, most))
  }

  /** Tenants that have had files. */
  tenants(): Promise<string[]> {
    return fromStore(this.#redis.smembers(keys.fileTenants))
  }

  #run(script: keyof Scripts, tenant: string, ...args: Argument[]): Promise<unknown> {
    return fromStore(this.#redis[script](keys.tenant(tenant), this.#now(), ...args))
  }
}

const fromStore = <T>(reply: Promise<T>) => awaitStore(reply, 'Files cannot be looked up at the moment.')

/** Pieces of one upload; of the largest upload each is then some 200 KiB. */
const MOST_PIECES = 10_000

const fileKey = (tenant: string, id: string) => `${keys.tenant(tenant)}:file:${id}`

function fileFrom(raw: Record<string, string>): MediaFile | null {
  if (raw.head === undefined || (raw.status !== 'ready' && raw.status !== 'uploading')) return null
  const head = JSON.parse(raw.head) as Pick<MediaFile, 'id' | 'tenant' | 'keyId' | 'filename'>
  return {
    ...head,
    purpose: (raw.purpose ?? 'media') as FilePurpose,
    status: raw.status,
    bytes: Number(raw.bytes),
    sha256: raw.sha256 ?? null,
    mime: raw.mime ?? 'application/octet-stream',
    media: raw.media === undefined || raw.media === '' ? null : (JSON.parse(raw.media) as Probed),
    createdAt: idTime('file', head.id) as Instant,
    expiresAt: Number(raw.expiresAt) as Instant,
  }
}

function fromFlat(flat: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {}
  for (let i = 0; i + 1 < flat.length; i += 2) pairs[flat[i] as string] = flat[i + 1] as string
  return pairs
}

function withScripts(redis: Redis): Redis & Scripts {
  const read = (name: string) => readFileSync(new URL(`./scripts/files/${name}.lua`, import.meta.url), 'utf8')
  const prelude = read('prelude')
  for (const name of SCRIPTS) {
    const command = `files${name[0]?.toUpperCase()}${name.slice(1)}`
    redis.defineCommand(command, { numberOfKeys: 1, lua: prelude + read(name) })
  }
  return redis as Redis & Scripts
}
