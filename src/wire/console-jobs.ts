import { z } from 'zod'

const whole = z.int().min(0)

/** A job as an operator sees it in a list. Times are Unix ms, money is in nano-dollars. */
export const JobRow = z.object({
  id: z.string(),
  tenant: z.string(),
  user: z.string().nullable(),
  type: z.string(),
  status: z.string(),
  stage: z.string(),
  done: whole,
  /** Steps of this stage; 0 while unknown. */
  total: whole,
  attempt: whole,
  max_attempts: whole,
  cancel_requested: z.boolean(),
  priority: z.enum(['standard', 'low']),
  batch_id: z.string().nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  calls: whole.nullable(),
  cost_nano_usd: whole.nullable(),
  estimated: z.boolean(),
  saved_nano_usd: z.int().nullable(),
  /** Sound in the input, and sound that was billed, ms. */
  input_ms: z.number().nullable(),
  billed_ms: z.number().nullable(),
  tokens_in: whole.nullable(),
  tokens_sent: whole.nullable(),
  bytes_in: whole.nullable(),
  bytes_sent: whole.nullable(),
  created_at: z.number(),
  started_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  run_at: z.number().nullable(),
})
export type JobRow = z.infer<typeof JobRow>

export const JobPage = z.object({
  data: z.array(JobRow),
  /** For `after`; null on the last page. */
  next: z.string().nullable(),
})
export type JobPage = z.infer<typeof JobPage>

/** What came of a job: a file is its tenant's to read. */
export const JobResultView = z.union([
  z.object({ type: z.literal('inline'), value: z.unknown() }),
  z.object({ type: z.literal('file'), file_id: z.string(), mime: z.string() }),
  z.object({ type: z.literal('none') }),
])
export type JobResultView = z.infer<typeof JobResultView>
