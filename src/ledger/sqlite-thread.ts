import { parentPort, workerData } from 'node:worker_threads'
import { SqlLedger } from './sql-ledger.ts'
import { SqliteDatabase } from './sqlite-database.ts'

/** The thread that owns the file: calls in, answers out, one after the other. */
export type LedgerMethod = 'append' | 'sums' | 'list' | 'find' | 'spent' | 'spenders'
export type ToThread =
  | { readonly call: number; readonly method: LedgerMethod; readonly args: readonly unknown[] }
  | 'close'
export type FromThread =
  | { readonly type: 'ready'; readonly id: string }
  | { readonly type: 'done'; readonly call: number; readonly value: unknown }
  /** Without a call: the file cannot be used at all. */
  | { readonly type: 'failed'; readonly call: number | null; readonly error: ThreadError }
export interface ThreadError {
  readonly name: string
  readonly message: string
  /** SQLite's result code, if it was SQLite that failed. */
  readonly errcode: number | null
}

const port = parentPort
if (port === null) throw new Error('sqlite-thread.ts is started by sqlite-ledger.ts')
const say = (message: FromThread) => port.postMessage(message)

function fail(call: number | null, error: unknown): void {
  const { name = 'Error', message = String(error), errcode } = error as Partial<Error> & { errcode?: unknown }
  say({ type: 'failed', call, error: { name, message, errcode: typeof errcode === 'number' ? errcode : null } })
}

try {
  const database = new SqliteDatabase(String(workerData))
  const ledger = new SqlLedger(database.id, database)
  let last: Promise<void> = Promise.resolve()
  port.on('message', (message: ToThread) => {
    last = last.then(async () => {
      if (message === 'close') {
        await ledger[Symbol.asyncDispose]()
        port.close()
        return
      }
      const { call, method, args } = message
      try {
        const run = ledger[method].bind(ledger) as (...args: readonly unknown[]) => Promise<unknown>
        say({ type: 'done', call, value: await run(...args) })
      } catch (error) {
        fail(call, error)
      }
    })
  })
  say({ type: 'ready', id: database.id })
} catch (error) {
  fail(null, error)
  port.close()
}
