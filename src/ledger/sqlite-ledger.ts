import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { FaultError } from '../faults.ts'
import type { AccountKind } from '../limits/limits.ts'
import type { NanoUsd } from '../units.ts'
import type { Booked, Ledger, LedgerAccount, ListQuery, Posting, Spender, SumsQuery, UsageSum } from './ledger.ts'
import type { Period } from './period.ts'
import type { FromThread, LedgerMethod, ThreadError, ToThread } from './sqlite-thread.ts'

/** Busy, locked, out of memory, interrupted, read or write failed, disk full, cannot open: asking again may help. */
const PASSING = new Set([5, 6, 7, 9, 10, 13, 14])
const EXTENDED = 0xff
/** Calls that may wait for the thread; more are refused at once. */
const MOST_WAITING = 1_000

/**
 * The ledger as one file in the data folder: for the process that owns the folder, and safe with several on one machine.
 * The file lives in a thread, so that neither a flush to the disk nor a long sum holds up the callers' audio.
 */
export class SqliteLedger implements Ledger {
  readonly id: string
  readonly #thread: Worker
  readonly #waiting: Map<number, PromiseWithResolvers<unknown>>
  #calls = 0

  private constructor(id: string, thread: Worker, waiting: Map<number, PromiseWithResolvers<unknown>>) {
    this.id = id
    this.#thread = thread
    this.#waiting = waiting
  }

  /** Opens the file, or makes it. Throws with a plain sentence when it cannot be used. */
  static async open(path: string): Promise<SqliteLedger> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // SQLite would make it readable for everybody; its log and index take the rights of the file.
    closeSync(openSync(path, 'a', 0o600))
    const kind = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
    const thread = new Worker(new URL(`./sqlite-thread.${kind}`, import.meta.url), { workerData: path, execArgv: [] })
    const waiting = new Map<number, PromiseWithResolvers<unknown>>()
    const ready = Promise.withResolvers<string>()
    const giveUp = (error: Error) => {
      ready.reject(error)
      for (const call of waiting.values()) call.reject(unavailable(error))
      waiting.clear()
    }
    thread.on('error', giveUp)
    thread.on('exit', () => giveUp(new Error('the thread of the ledger has ended')))
    thread.on('message', (message: FromThread) => {
      if (message.type === 'ready') return ready.resolve(message.id)
      if (message.type === 'failed' && message.call === null) return ready.reject(errorOf(path, message.error))
      const call = waiting.get(message.call ?? 0)
      waiting.delete(message.call ?? 0)
      if (message.type === 'done') call?.resolve(message.value)
      else call?.reject(errorOf(path, message.error))
    })
    return new SqliteLedger(await ready.promise, thread, waiting)
  }

  append(postings: readonly Posting[]): Promise<number> {
    return this.#call('append', postings)
  }
  sums(query: SumsQuery): Promise<UsageSum[]> {
    return this.#call('sums', query)
  }
  list(query: ListQuery): Promise<Booked[]> {
    return this.#call('list', query)
  }
  find(ids: readonly string[]): Promise<Booked[]> {
    return this.#call('find', ids)
  }
  spent(account: LedgerAccount, period: Period): Promise<NanoUsd> {
    return this.#call('spent', account, period)
  }
  spenders(kind: AccountKind, period: Period, most: number): Promise<Spender[]> {
    return this.#call('spenders', kind, period, most)
  }

  /** Lets what was asked for finish, then closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (this.#thread.threadId === -1) return
    this.#thread.once('exit', () => resolve())
    this.#post('close')
    await promise
  }

  async #call<T>(method: LedgerMethod, ...args: readonly unknown[]): Promise<T> {
    if (this.#thread.threadId === -1) throw unavailable(new Error('the thread of the ledger has ended'))
    if (this.#waiting.size >= MOST_WAITING) throw unavailable(new Error('too many calls wait for the ledger'))
    const call = ++this.#calls
    const answer = Promise.withResolvers<unknown>()
    this.#waiting.set(call, answer)
    this.#post({ call, method, args })
    return (await answer.promise) as T
  }

  #post(message: ToThread): void {
    this.#thread.postMessage(message)
  }
}

function errorOf(path: string, { name, message, errcode }: ThreadError): Error {
  if (errcode !== null && PASSING.has(errcode & EXTENDED)) return unavailable(new Error(message))
  return name === 'RangeError' ? new RangeError(message) : new Error(`the ledger ${path}: ${message}`)
}

function unavailable(cause: Error): FaultError {
  return new FaultError('store_unavailable', 'The ledger cannot be reached right now.', { cause, retryAfterMs: 2_000 })
}
