import { createReadStream } from 'node:fs'
import { FaultError } from '../../src/faults.ts'
import type { Job } from '../../src/media/job.ts'
import { blobName, type LocalFile, type Storage } from '../../src/storage/storage.ts'

/** No result of a step is larger, bytes. */
const MOST_JSON_BYTES = 64 * 1_024 * 1_024

/**
 * What a job's steps leave for one another, and for whoever begins them again: names are ours and say what it is made from,
 * so that a name that is there needs no second making. Gone when the job has ended.
 */
export class WorkFolder {
  readonly #storage: Storage
  readonly #job: Pick<Job, 'tenant' | 'id'>

  constructor(storage: Storage, job: Pick<Job, 'tenant' | 'id'>) {
    this.#storage = storage
    this.#job = job
  }

  async put(part: string, path: string, bytes: number, signal: AbortSignal): Promise<void> {
    await this.#storage.write(this.#name(part), createReadStream(path), bytes, signal)
  }

  local(part: string): Promise<LocalFile> {
    return this.#storage.local(this.#name(part))
  }

  async has(part: string): Promise<boolean> {
    return (await this.#storage.size(this.#name(part))) !== null
  }

  async putJson(part: string, value: unknown): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(value))
    async function* source() {
      yield bytes
    }
    await this.#storage.write(this.#name(part), source(), MOST_JSON_BYTES)
  }

  /** Null where there is none. */
  async readJson<T>(part: string): Promise<T | null> {
    try {
      const chunks: Uint8Array[] = []
      for await (const chunk of await this.#storage.read(this.#name(part))) chunks.push(chunk)
      return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T
    } catch (error) {
      if (error instanceof FaultError && error.code === 'not_found') return null
      throw error
    }
  }

  #name(part: string) {
    return blobName(this.#job.tenant, this.#job.id, part)
  }
}
