import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'

/** Lines that outlive this process: each is on the disk, whole, or not there at all. */
export class SettlementFile {
  readonly #path: string
  readonly #file: number
  /** Bytes of whole lines. */
  #length = 0
  /** Why the last line could not be written; null when it was. */
  failure: string | null = null

  constructor(path: string) {
    this.#path = path
    this.#file = openSync(path, 'a', 0o600)
  }

  /** False where the disk does not take it; what has begun of it is taken back. Never throws. */
  add(line: string): boolean {
    const bytes = Buffer.from(`${line}\n`)
    try {
      // A disk that is nearly full takes a part, and says so only here.
      const written = writeSync(this.#file, bytes)
      if (written < bytes.length) throw Object.assign(new Error('no space is left'), { code: 'ENOSPC' })
      this.#length += bytes.length
      this.failure = null
    } catch (error) {
      this.failure = (error as NodeJS.ErrnoException).code ?? String(error)
      this.#cut()
    }
    return this.failure === null
  }

  clear(): void {
    this.#length = 0
    this.#cut()
  }

  /** `isDone`: nothing in it is needed any more. */
  close(isDone: boolean): void {
    closeSync(this.#file)
    if (isDone) rmSync(this.#path, { force: true })
  }

  /** What stays beyond is a line that was settled, which counts once, or a part of one, which counts as none. */
  #cut(): void {
    try {
      ftruncateSync(this.#file, this.#length)
    } catch {
      // The disk is at fault, and has been told of.
    }
  }
}
