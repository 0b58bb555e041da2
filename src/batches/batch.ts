import type { Instant, Ms } from '../units.ts'

/** Another process has the batch now. */
export class BatchLost extends Error {
  override readonly name = 'BatchLost'
}

/** OpenAI's words for where a batch stands. */
export const BATCH_STATUSES = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const
export type BatchStatus = (typeof BATCH_STATUSES)[number]

export type BatchEnd = Extract<BatchStatus, 'failed' | 'completed' | 'expired' | 'cancelled'>

/** One line that makes the whole batch fail before any of it begins. */
export interface LineError {
  readonly line: number | null
  readonly code: string
  readonly message: string
  /** JSON Pointer into the line. */
  readonly param: string | null
}

/** What is fixed when a batch is made. */
export interface BatchHead {
  /** `batch_` and 26 letters, sorted by time. */
  readonly id: string
  readonly tenant: string
  readonly keyId: string
  readonly inputFileId: string
  /** As it was asked for: `24h`. */
  readonly window: string
  readonly metadata: Readonly<Record<string, string>>
  readonly expiresAt: Instant
  /** How long the files with its results stay. */
  readonly keepOutput: Ms
}

/** Where in the input a batch goes on: the number of the next line, from 1, and where it begins. */
export interface Cursor {
  readonly line: number
  readonly offset: number
}

/** Many jobs from one list of lines. */
export interface Batch extends BatchHead {
  readonly status: BatchStatus
  readonly createdAt: Instant
  /** Lines with a job in them; 0 until all of them have been looked at. */
  readonly total: number
  /** Lines that have been looked at. */
  readonly seen: number
  /** The next line to be looked at, or to be made a job of. */
  readonly cursor: Cursor
  /** The next line whose result is to be written down. */
  readonly resultCursor: Cursor
  /** Jobs made so far. */
  readonly made: number
  /** Lines that no job could be made of. */
  readonly refused: number
  /** Jobs that have ended, by how. */
  readonly succeeded: number
  readonly unsuccessful: number
  readonly errors: readonly LineError[]
  readonly outputFileId: string | null
  readonly errorFileId: string | null
  readonly cancelAsked: boolean
  /** What a batch that is being finished will be. */
  readonly outcome: BatchEnd
  /** When it came to each status. */
  readonly times: Readonly<Partial<Record<BatchStatus, Instant>>>
}

export const isOver = (status: BatchStatus): status is BatchEnd =>
  status === 'failed' || status === 'completed' || status === 'expired' || status === 'cancelled'
