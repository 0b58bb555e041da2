import process from 'node:process'
import { type FaultCode, FaultError } from '../../src/faults.ts'
import type { FromToolProcess, ToToolProcess } from './messages.ts'
import type { AnyEntry } from './task.ts'

const { TASKS } = (await import(process.argv[2] as string)) as { TASKS: Readonly<Record<string, AnyEntry>> }

function tell(message: FromToolProcess): void {
  // An owner that is gone is told nothing; `disconnect` ends this process.
  process.send?.(message, undefined, undefined, () => undefined)
}

async function run({ task, input, context }: ToToolProcess): Promise<void> {
  try {
    const work = await TASKS[task]?.load()
    if (work === undefined) throw new Error(`no task is named '${task}'`)
    const progress = (done: number, total: number) => tell({ type: 'progress', done, total })
    const output = await work(input, { ...context, progress })
    tell({ type: 'done', output, rss: process.memoryUsage.rss() })
  } catch (error) {
    tell({ type: 'failed', ...told(error), rss: process.memoryUsage.rss() })
  }
}

function told(error: unknown): { code: FaultCode | null; message: string } {
  if (error instanceof FaultError) return { code: error.code, message: error.message }
  if (error instanceof RangeError && OUT_OF_MEMORY.test(error.message)) {
    return { code: 'media_too_heavy', message: 'The file takes more memory than it may.' }
  }
  return { code: null, message: error instanceof Error ? `${error.stack}` : String(error) }
}

/** How Node tells that a buffer could not be had. */
const OUT_OF_MEMORY = /allocation failed|failed to allocate|out of memory/i

process.on('message', (message: ToToolProcess) => void run(message))
// The owner is gone, and with it the reason to be: this process leads a group that holds every process it has started.
process.on('disconnect', () => process.kill(-process.pid, 'SIGKILL'))
tell({ type: 'ready' })
