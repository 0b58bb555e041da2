import type { Ms } from '../../src/units.ts'
import type { ToolContext } from './tool-settings.ts'

/** What a task has around it, inside a process of the pool. */
export interface TaskContext extends ToolContext {
  /** Tells how far it has come, which is also a sign of life. */
  progress(done: number, total: number): void
}

/**
 * A piece of CPU work that runs in a process of its own: plain data in, plain data out. It is never asked to stop; whoever
 * aborts it ends the process, and every process that this one started.
 */
export type Task<I, O> = (input: I, context: TaskContext) => Promise<O>

/** How a task is found, and what it may take. */
export interface TaskEntry<I, O> {
  /** Loads the module inside the process, so that nobody else pays for what it imports. */
  load(): Promise<Task<I, O>>
  /** Without progress or an end for so long it is taken to hang, ms. */
  readonly quiet: Ms
}

export const task = <I, O>(quiet: Ms, load: () => Promise<Task<I, O>>): TaskEntry<I, O> => ({ load, quiet })

// biome-ignore lint/suspicious/noExplicitAny: any entry at all, whatever goes in and comes out.
export type AnyEntry = TaskEntry<any, any>
export type InputOf<E> = E extends TaskEntry<infer I, infer _> ? I : never
export type OutputOf<E> = E extends TaskEntry<infer _, infer O> ? O : never
