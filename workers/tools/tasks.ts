import { ms } from '../../src/units.ts'
import { task } from './task.ts'

/** Everything the processes of the pool can do. A module is loaded in the process that needs it, never in its owner. */
export const TASKS = {
  probe: task(ms(20_000), async () => (await import('./probe.ts')).probe),
} as const
