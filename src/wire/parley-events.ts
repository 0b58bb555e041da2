import { z } from 'zod'

/**
 * Events of Parley's own on the live door, for callers that asked for them (query `parley=1` or subprotocol `parley.v1`).
 *
 * Counting: both sides number the frames that the broker sends, from 1, leaving out every frame whose type begins with
 * `parley.`. The number is not in the frames, which pass as the provider made them; `parley.session` gives the count at
 * the moment it is sent. A caller that reconnects names the last number it has seen and gets all that followed.
 */

const wholeMs = z.int().min(0)

export const endReasons = [
  'caller_hung_up',
  'caller_lost',
  'session_expired',
  'idle_timeout',
  'upstream_unavailable',
  'upstream_lost',
  'upstream_ended',
  'ended_by_operator',
  'credential_revoked',
  'reader_too_slow',
  'protocol_misuse',
  'budget_spent',
  'rate_limited',
  'store_unavailable',
  'going_away',
  'node_lost',
  'internal',
] as const

/** Sent once after `session.created`, and first of all after a resume. */
export const ParleySession = z.object({
  type: z.literal('parley.session'),
  session_id: z.string(),
  resumed: z.boolean(),
  /** Credential for coming back, good once; null where the plan allows no resume. Present it like an API key. */
  resume_token: z.string().nullable(),
  resume_window_ms: wholeMs,
  /** Frames counted so far. The next counted frame is `seq + 1`. */
  seq: z.int().min(0),
  /** When the length cap ends the session, Unix ms. */
  ends_at_ms: wholeMs,
  /** The same as time that is left: clocks of callers are often wrong. */
  remaining_ms: wholeMs,
  idle_limit_ms: wholeMs.nullable(),
})

/** A limit is near. `idle` is taken back by `parley.idle_over`. */
export const ParleyWarning = z.object({
  type: z.literal('parley.warning'),
  limit: z.enum(['length', 'idle']),
  remaining_ms: wholeMs,
})

export const ParleyIdleOver = z.object({ type: z.literal('parley.idle_over') })

/** The node shuts down: resume elsewhere when the connection closes with 4200, at the latest in `deadline_ms`. */
export const ParleyGoingAway = z.object({ type: z.literal('parley.going_away'), deadline_ms: wholeMs })

/** Frames `from` to `to` are lost to the caller. `items` is the whole conversation as text, to start again from. */
export const ParleyGap = z.object({
  type: z.literal('parley.gap'),
  from: z.int().min(1),
  to: z.int().min(1),
  items: z.array(z.record(z.string(), z.unknown())),
})

/** The session goes on at a new provider connection; `items` turns were put back. What was in flight is lost. */
export const ParleyRestored = z.object({ type: z.literal('parley.restored'), items: z.int().min(0) })

/** The end of a session, told to a caller who is there to hear it; an `error` event and the closure may follow. */
export const ParleySessionEnded = z.object({
  type: z.literal('parley.session_ended'),
  reason: z.enum(endReasons),
  duration_ms: wholeMs,
  /** Tokens as the provider counted them, summed over the session's responses. */
  usage: z.object({
    input_tokens: z.int().min(0),
    output_tokens: z.int().min(0),
    responses: z.int().min(0),
    /** Nano-dollars: what has been booked by now. */
    cost_nano_usd: z.int().min(0),
  }),
})

/** Money in nano-dollars: billionths of a US dollar, whole. */
const nano = z.int().min(0)

/** Something was bought and booked. Live cost, in the provider's own count. */
export const ParleyUsage = z.object({
  type: z.literal('parley.usage'),
  kind: z.enum(['response', 'transcription', 'stage', 'session']),
  /** The response's or the item's own id. */
  id: z.string(),
  input_tokens: z.int().min(0),
  cached_tokens: z.int().min(0),
  output_tokens: z.int().min(0),
  cost_nano_usd: nano,
  /** All of the session so far. */
  session_cost_nano_usd: nano,
  /** The provider did not say everything; the difference is booked when it does. */
  estimated: z.boolean(),
})

/** A response is held back, or was refused, because a limit is reached; or input, which costs where it is written down. */
export const ParleyThrottled = z.object({
  type: z.literal('parley.throttled'),
  action: z.enum(['delayed', 'refused']),
  account: z.enum(['session', 'user', 'tenant', 'installation']),
  limit: z.enum(['sessions', 'starts', 'tokens', 'budget', 'day', 'month']),
  /** How long until asking again can help; null where waiting does not. */
  wait_ms: wholeMs.nullable(),
})

/** A budget is near its end: `percent` of it is spent, or needed for the smallest next answer. */
export const ParleyBudgetWarning = z.object({
  type: z.literal('parley.budget_warning'),
  account: z.enum(['session', 'user', 'tenant', 'installation']),
  limit: z.enum(['budget', 'day', 'month']),
  percent: z.int().min(0),
  spent_nano_usd: nano,
  /** The least that the next answer may cost if nothing of the conversation is cached. */
  next_nano_usd: nano,
  cap_nano_usd: nano,
})

export const ParleyPong = z.object({ type: z.literal('parley.pong') })

export const ParleyServerEvent = z.discriminatedUnion('type', [
  ParleySession,
  ParleyWarning,
  ParleyIdleOver,
  ParleyGoingAway,
  ParleyGap,
  ParleyRestored,
  ParleySessionEnded,
  ParleyUsage,
  ParleyThrottled,
  ParleyBudgetWarning,
  ParleyPong,
])
export type ParleyServerEvent = z.infer<typeof ParleyServerEvent>

/** Says which counted frames have arrived, every second or every 50 frames: they need not be kept any longer. */
export const ParleyAck = z.object({ type: z.literal('parley.ack'), seq: z.int().min(0) })
/** For callers that cannot send WebSocket pings, browsers above all. */
export const ParleyPing = z.object({ type: z.literal('parley.ping') })

export const ParleyClientEvent = z.discriminatedUnion('type', [ParleyAck, ParleyPing])
export type ParleyClientEvent = z.infer<typeof ParleyClientEvent>
export type ParleyThrottled = z.infer<typeof ParleyThrottled>
