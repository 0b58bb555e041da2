import type { FaultCode } from '../../src/faults.ts'
import type { ToolContext } from './tool-settings.ts'

/** What the owner of a pool process sends to it. One task at a time. */
export type ToToolProcess = { type: 'run'; task: string; input: unknown; context: ToolContext }

export type FromToolProcess =
  /** Once: it runs, so whatever ends it from now on is the task's doing. */
  | { type: 'ready' }
  | { type: 'progress'; done: number; total: number }
  /** `rss`: memory of the process once the task is done, bytes. */
  | { type: 'done'; output: unknown; rss: number }
  /** `code` null: a bug, or a library's own error. */
  | { type: 'failed'; code: FaultCode | null; message: string; rss: number }
