import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tooLarge } from '../../storage/measured.ts'

/** What a node's drop-ins work on lies below here, each request in a folder of its own. */
export class WorkFolders {
  readonly #root: string

  constructor(dataDir: string, nodeId: string) {
    this.#root = join(dataDir, `${PREFIX}${nodeId}`)
    mkdirSync(this.#root, { recursive: true, mode: 0o700 })
  }

  async open(): Promise<WorkFolder> {
    const path = join(this.#root, randomUUID())
    await mkdir(path, { mode: 0o700 })
    return new WorkFolder(path)
  }

  /** Nothing of it is needed any more. */
  remove(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}

const PREFIX = 'drop-ins-'

/** Removes what nodes that died have left in this data folder. */
export async function sweepWorkFolders(dataDir: string, isAlive: (nodeId: string) => Promise<boolean>): Promise<void> {
  for (const name of readdirSync(dataDir)) {
    if (!name.startsWith(PREFIX) || (await isAlive(name.slice(PREFIX.length)))) continue
    await rm(join(dataDir, name), { recursive: true, force: true })
  }
}

export interface WrittenFile {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

/** The files of one request; gone with it. */
export class WorkFolder implements AsyncDisposable {
  readonly path: string
  #folders = 0

  constructor(path: string) {
    this.path = path
  }

  /** An empty folder for what is made of a file. */
  async into(): Promise<string> {
    const path = join(this.path, `out-${this.#folders++}`)
    await mkdir(path, { mode: 0o700 })
    return path
  }

  /** Writes a file of at most `most` bytes. Throws `payload_too_large`. */
  async write(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, most: number): Promise<WrittenFile> {
    const path = join(this.path, `in-${this.#folders++}`)
    const hash = createHash('sha256')
    let bytes = 0
    await using file = await open(path, 'wx', 0o600)
    for await (const chunk of source) {
      bytes += chunk.byteLength
      if (bytes > most) throw tooLarge(most)
      hash.update(chunk)
      await file.write(chunk)
    }
    return { path, bytes, sha256: hash.digest('hex') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}
