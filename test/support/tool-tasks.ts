import { spawn } from 'node:child_process'
import process from 'node:process'
import { FaultError } from '../../src/faults.ts'
import { ms } from '../../src/units.ts'
import { task } from '../../workers/tools/task.ts'

/** Never ends, and has started a program that never ends either; tells both process ids first. */
const hang = async (_: null, context: { progress(done: number, total: number): void }) => {
  const child = spawn('sleep', ['3600'], { stdio: 'ignore' })
  context.progress(process.pid, child.pid ?? 0)
  await new Promise(() => setInterval(() => undefined, 1_000))
}

/** What the pool is tried with. */
export const TASKS = {
  pid: task<null, number>(ms(10_000), async () => async () => process.pid),
  environment: task<null, string[]>(ms(10_000), async () => async () => Object.keys(process.env)),
  refuse: task<null, never>(ms(10_000), async () => async () => {
    throw new FaultError('media_corrupt', 'The file cannot be decoded.')
  }),
  breaks: task<null, never>(ms(10_000), async () => async () => {
    throw new RangeError('a bug')
  }),
  hang: task<null, void>(ms(60_000), async () => hang),
  stall: task<null, void>(ms(300), async () => hang),
  dies: task<NodeJS.Signals, void>(ms(10_000), async () => async (signal) => {
    process.kill(process.pid, signal)
    await new Promise(() => setInterval(() => undefined, 1_000))
  }),
  /** Takes so many MiB outside of JavaScript's heap, and touches them. */
  takes: task<number, number>(ms(10_000), async () => async (size) => {
    const kept = Array.from({ length: size }, (_, i) => Buffer.alloc(2 ** 20, i))
    return kept.length
  }),
  grows: task<null, void>(ms(30_000), async () => async () => {
    const kept: unknown[] = []
    for (;;) kept.push(new Array(1_000_000).fill({}))
  }),
} as const
