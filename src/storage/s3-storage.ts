import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import type { StorageConfig } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { Measured } from './measured.ts'
import { type BlobName, blobName, type LocalFile, type Storage, type Written } from './storage.ts'

type S3Config = Extract<StorageConfig, { type: 's3' }>

/** One upload holds two parts in memory at the most. */
const PART_BYTES = 8 * 1_024 * 1_024
const PARTS_AT_ONCE = 2
/** Objects removed at once; one call for each, because not every server knows the call for many. */
const REMOVED_AT_ONCE = 16

/** Blobs as objects of a bucket. An object is there whole or not at all: parts are put together by the last call. */
export class S3Storage implements Storage {
  readonly #client: S3Client
  readonly #bucket: string
  /** Where objects are laid for tools that must seek in them. */
  readonly #scratch: string

  private constructor(client: S3Client, bucket: string, scratch: string) {
    this.#client = client
    this.#bucket = bucket
    this.#scratch = scratch
  }

  static async open(config: S3Config, scratch: string): Promise<S3Storage> {
    await mkdir(scratch, { recursive: true, mode: 0o700 })
    const { accessKeyId, secretAccessKey } = config
    const client = new S3Client({
      region: config.region,
      forcePathStyle: config.pathStyle,
      maxAttempts: 3,
      // Not every server that speaks S3 knows the newer checksums; TLS and our own SHA-256 stand in for them.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: 3_000, socketTimeout: 30_000 },
      ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
      ...(accessKeyId === undefined || secretAccessKey === undefined
        ? {}
        : { credentials: { accessKeyId, secretAccessKey } }),
    })
    return new S3Storage(client, config.bucket, scratch)
  }

  async write(
    name: BlobName,
    source: AsyncIterable<Uint8Array>,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Written> {
    signal?.throwIfAborted()
    const measured = new Measured(maxBytes)
    const upload = new Upload({
      client: this.#client,
      params: { Bucket: this.#bucket, Key: name, Body: Readable.from(measured.pass(source)) },
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
      leavePartsOnError: false,
    })
    const stop = () => void upload.abort()
    signal?.addEventListener('abort', stop, { once: true })
    try {
      await upload.done()
    } catch (error) {
      signal?.throwIfAborted()
      return asFault(error)
    } finally {
      signal?.removeEventListener('abort', stop)
    }
    return measured.result()
  }

  async read(name: BlobName, range?: { first: number; last: number }): Promise<AsyncIterable<Uint8Array>> {
    const bytes = range === undefined ? {} : { Range: `bytes=${range.first}-${range.last}` }
    const { Body } = await this.#client
      .send(new GetObjectCommand({ Bucket: this.#bucket, Key: name, ...bytes }))
      .catch(asFault)
    return Body as Readable
  }

  async size(name: BlobName): Promise<number | null> {
    try {
      const head = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: name }))
      return head.ContentLength ?? 0
    } catch (error) {
      return isMissing(error) ? null : asFault(error)
    }
  }

  async local(name: BlobName): Promise<LocalFile> {
    const source = await this.read(name)
    const path = join(this.#scratch, randomUUID())
    const dispose = () => unlink(path).catch(() => undefined)
    try {
      await pipeline(source, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
    } catch (error) {
      await dispose()
      return asFault(error)
    }
    return { path, [Symbol.asyncDispose]: dispose }
  }

  async remove(name: BlobName): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: name })).catch((error: unknown) => {
      if (!isMissing(error)) asFault(error)
    })
  }

  async removeAll(folder: string): Promise<void> {
    // The slash keeps `tenant_1` from taking `tenant_10` with it.
    const prefix = blobName(...(folder.split('/') as [string]), 'any').slice(0, -'any'.length)
    let batch: Promise<void>[] = []
    for await (const name of this.#names(prefix)) {
      batch.push(this.remove(name))
      if (batch.length < REMOVED_AT_ONCE) continue
      await Promise.all(batch)
      batch = []
    }
    await Promise.all(batch)
  }

  list(): AsyncIterable<BlobName> {
    return this.#names('')
  }

  async room(): Promise<null> {
    return null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.destroy()
  }

  async *#names(prefix: string): AsyncIterable<BlobName> {
    try {
      for await (const page of paginateListObjectsV2(
        { client: this.#client },
        { Bucket: this.#bucket, Prefix: prefix },
      ))
        for (const { Key } of page.Contents ?? []) {
          const parts = (Key ?? '').split('/')
          // A bucket may hold things that are none of ours.
          if (isOurs(parts)) yield blobName(...parts)
        }
    } catch (error) {
      asFault(error)
    }
  }
}

function isOurs(parts: string[]): parts is [string] {
  try {
    return blobName(...(parts as [string])).length > 0
  } catch {
    return false
  }
}

const isMissing = (error: unknown) =>
  error instanceof S3ServiceException && (error.$metadata.httpStatusCode === 404 || error.name === 'NoSuchKey')

/** Throws what the seam promises for what the bucket says. */
function asFault(error: unknown): never {
  if (error instanceof FaultError) throw error
  if (isMissing(error)) throw new FaultError('not_found', 'There are no such bytes.')
  const isOfS3 = error instanceof S3ServiceException || (error as { code?: unknown }).code !== undefined
  if (!isOfS3 && !/Timeout|Network|Abort/.test((error as Error).name)) throw error
  throw new FaultError('storage_unavailable', 'Media cannot be stored or read at the moment.', {
    retryAfterMs: 5_000,
    cause: error,
  })
}
