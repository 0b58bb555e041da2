import { z } from 'zod'

/**
 * What operators see of an installation while it runs. Nothing in it is content: no text, speech, names of tools or files.
 * Times are Unix ms, money is in nano-dollars. The console takes these as types; nodes tell each other the same.
 */

const whole = z.int().min(0)

export const PHASES = ['opening', 'live', 'parked', 'draining', 'ended'] as const

/** What goes on in a session just now. */
export const ACTIVITIES = [
  'opening',
  'quiet',
  'caller_speaking',
  'awaiting_answer',
  'answering',
  'playing',
  'awaiting_tool',
  'caller_away',
  'ending',
] as const
export type Activity = (typeof ACTIVITIES)[number]

/** A limit and how much of it is gone: of the account, among all that apply, that is nearest to its end. */
export const Bucket = z.object({
  account: z.enum(['session', 'user', 'tenant', 'installation']),
  limit: z.enum(['tokens', 'budget', 'day', 'month']),
  /** Weighted tokens of any 60 s, or nano-dollars. */
  cap: whole,
  /** Used and held for what is under way. */
  used: whole,
})
export type Bucket = z.infer<typeof Bucket>

/** A session on the node that holds it. */
export const LiveRow = z.object({
  id: z.string(),
  tenant: z.string(),
  user: z.string().nullable(),
  model: z.string(),
  /** The model that serves it: another one where the spend objective asks for it. */
  served: z.string(),
  kind: z.enum(['conversation', 'transcription']),
  plan: z.string(),
  node: z.string(),
  phase: z.enum(PHASES),
  activity: z.enum(ACTIVITIES),
  admitted_at: z.number(),
  ends_at: z.number(),
  /** When the idle cutoff comes if nothing happens; null while the clock is held, or where the plan has none. */
  idle_ends_at: z.number().nullable(),
  usage: z.object({
    input_tokens: whole,
    output_tokens: whole,
    responses: whole,
    cost_nano_usd: whole,
  }),
  /** Responses that had to wait, or were refused. */
  throttled: whole,
  /** Null where nothing limits it, or where it is not known yet. */
  rate: Bucket.nullable(),
  money: Bucket.nullable(),
})
export type LiveRow = z.infer<typeof LiveRow>

/** A session that has ended on a node lately. */
export const EndedRow = z.object({
  id: z.string(),
  tenant: z.string(),
  user: z.string().nullable(),
  model: z.string(),
  node: z.string(),
  reason: z.string(),
  admitted_at: z.number(),
  ended_at: z.number(),
  cost_nano_usd: whole,
})
export type EndedRow = z.infer<typeof EndedRow>

/** Counted since the process began. */
export const NodeCounts = z.object({
  refused: z.array(z.object({ code: z.string(), count: whole })),
  throttled: z.array(z.object({ action: z.string(), account: z.string(), limit: z.string(), count: whole })),
  ended: z.array(z.object({ reason: z.string(), count: whole })),
})
export type NodeCounts = z.infer<typeof NodeCounts>

/** How a node is, without its sessions. */
export const NodeView = z.object({
  id: z.string(),
  url: z.string(),
  started_at: z.number(),
  told_at: z.number(),
  draining: z.boolean(),
  sessions: whole,
  /** Sessions beyond the most that a node tells of. */
  unlisted: whole,
  memory_bytes: whole,
  /** Share of the time in which its event loop had something to do, 0 to 1. */
  busy: z.number().min(0).max(1),
  counts: NodeCounts,
})
export type NodeView = z.infer<typeof NodeView>

/** What a node says when it is asked. */
export const NodeReport = z.object({
  node: NodeView,
  sessions: z.array(LiveRow),
  ended: z.array(EndedRow),
})
export type NodeReport = z.infer<typeof NodeReport>

/** One moment of a session: which event, when, from whom, and numbers. */
export const TimelineEntry = z.object({
  at: z.number(),
  from: z.enum(['caller', 'provider', 'parley']),
  type: z.string(),
  /** A word of a closed set: a status, a code, a limit. */
  note: z.string().nullable(),
  input_tokens: whole.nullable(),
  output_tokens: whole.nullable(),
  cost_nano_usd: whole.nullable(),
})
export type TimelineEntry = z.infer<typeof TimelineEntry>

export const Timeline = z.object({
  /** Oldest first. */
  entries: z.array(TimelineEntry),
  /** Moments before the first of them, which are not kept any more. */
  forgotten: whole,
})
export type Timeline = z.infer<typeof Timeline>

/** Jobs of all tenants by status. */
export const JobsNow = z.object({
  counts: z.object({
    scheduled: whole,
    queued: whole,
    processing: whole,
    succeeded: whole,
    failed: whole,
    canceled: whole,
    expired: whole,
  }),
  /** When the job that has waited longest was made; null where none waits. */
  oldest_waiting_at: z.number().nullable(),
  /** Tenants with most waiting and running jobs, at most 20. */
  tenants: z.array(z.object({ tenant: z.string(), waiting: whole, running: whole })),
})
export type JobsNow = z.infer<typeof JobsNow>

/** A budget of the installation or of a tenant. */
export const Budget = z.object({
  account: z.enum(['tenant', 'installation']),
  id: z.string(),
  limit: z.enum(['tokens', 'budget', 'day', 'month']),
  cap: whole,
  used: whole,
})
export type Budget = z.infer<typeof Budget>

export const ObjectiveView = z.object({
  per_day_nano_usd: whole,
  spent_nano_usd: whole,
  /** What may be spent by now. */
  line_nano_usd: whole,
  share_percent: z.number(),
  /** Minutes since midnight in `time_zone`. */
  by_minutes: z.number(),
  time_zone: z.string(),
  /** Steps taken; 0 is as configured. */
  step: whole,
  steps: z.array(
    z.object({
      at_percent: z.number(),
      siblings: z.record(z.string(), z.string()),
      max_output_tokens: whole.nullable(),
    }),
  ),
})
export type ObjectiveView = z.infer<typeof ObjectiveView>

export const MoneyNow = z.object({
  /** Of the UTC day, by all. */
  spent_today_nano_usd: whole,
  /** Those nearest to their end first, at most 50. */
  budgets: z.array(Budget),
  objective: ObjectiveView.nullable(),
})
export type MoneyNow = z.infer<typeof MoneyNow>

/** Sessions that have changed since the message before, and ids of those that are gone. */
export const SessionsNews = z.object({ set: z.array(LiveRow), gone: z.array(z.string()) })
export type SessionsNews = z.infer<typeof SessionsNews>

/** The beat of the stream: it comes last of each round. */
export const Tick = z.object({
  /** The server's clock, by which all times here are to be read. */
  at: z.number(),
  every_ms: whole,
  /** Nodes that are alive and did not answer. */
  silent: z.array(z.string()),
  /** What could not be had just now; what was known of it stays. */
  missing: z.array(z.enum(['nodes', 'jobs', 'money'])),
})
export type Tick = z.infer<typeof Tick>
