import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import type { Log } from '../log.ts'
import type { Audit, AuditEntry } from './audit.ts'
import type { Verdict } from './audit-book.ts'
import type { AuditRow, ChainHead } from './chain.ts'

export interface WriterData {
  file: string
  node: string
}

export type WriterRequest =
  | { type: 'record'; entry: AuditEntry; at: number }
  | { type: 'read'; after: number; most: number }
  | { type: 'verify'; anchor: ChainHead | undefined }
  | { type: 'close' }

export type WriterAnswer = { id: number; value: unknown } | { id: number; error: string }

/** Requests the writer may be behind. A disk that hangs must not fill the memory: rows past it are lost, with an alarm. */
const MOST_WAITING = 10_000

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/**
 * The audit log of this node: what happened, in a file that shows whether anybody has altered it since. The logs of several
 * nodes are not one chain: each node keeps its own, and every row names the run that wrote it. Rows are written in order by
 * a thread of their own; one that was recorded in the last milliseconds before a kill may be lost.
 */
export class AuditLog implements Audit, AsyncDisposable {
  readonly #worker: Worker
  readonly #clock: Clock
  readonly #log: Log
  readonly #waiting = new Map<number, Waiting>()
  #ids = 0

  private constructor(worker: Worker, clock: Clock, log: Log) {
    this.#worker = worker
    this.#clock = clock
    this.#log = log
    worker.on('message', (answer: WriterAnswer) => {
      const waiting = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) waiting?.reject(new Error(answer.error))
      else waiting?.resolve(answer.value)
    })
    let failure = new Error('the audit log is closed')
    worker.on('error', (error: Error) => {
      failure = error
      log.error({ err: error }, 'the audit log has failed')
    })
    worker.on('exit', () => {
      for (const waiting of this.#waiting.values()) waiting.reject(failure)
      this.#waiting.clear()
    })
  }

  /** `node`: who writes. Rejects when the file cannot be opened. */
  static async open(file: string, node: string, clock: Clock, log: Log): Promise<AuditLog> {
    const name = `./writer.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`
    const worker = new Worker(new URL(name, import.meta.url), { workerData: { file, node } satisfies WriterData })
    // Rejects with what the thread threw.
    await once(worker, 'online')
    const audit = new AuditLog(worker, clock, log)
    await audit.read(0, 1)
    return audit
  }

  record(entry: AuditEntry): void {
    this.#ask({ type: 'record', entry, at: Math.floor(this.#clock.now()) }).catch((error: unknown) => {
      this.#log.error({ err: error, kind: entry.kind }, 'audit row not written')
    })
  }

  /** Rows after number `after`, in order, at most `most`. Everything recorded before is among them. */
  async read(after: number, most: number): Promise<AuditRow[]> {
    return (await this.#ask({ type: 'read', after, most })) as AuditRow[]
  }

  /** Checks every row. `anchor`: a head from earlier, kept elsewhere, which must still be part of the chain. */
  async verify(anchor?: ChainHead): Promise<Verdict> {
    return (await this.#ask({ type: 'verify', anchor })) as Verdict
  }

  /** Once everything recorded is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#worker.threadId === -1) return
    const exited = once(this.#worker, 'exit')
    this.#ask({ type: 'close' }).catch(() => undefined)
    await exited
  }

  #ask(request: WriterRequest): Promise<unknown> {
    if (this.#worker.threadId === -1) return Promise.reject(new Error('the audit log is closed'))
    if (this.#waiting.size >= MOST_WAITING) {
      return Promise.reject(new FaultError('overloaded', 'The audit log is behind.', { retryAfterMs: 1_000 }))
    }
    const id = ++this.#ids
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { resolve, reject })
    this.#worker.postMessage({ id, request })
    return promise
  }
}
