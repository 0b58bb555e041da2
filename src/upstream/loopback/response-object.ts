import type { ResponseOptions } from './client-events.ts'
import type { ResponseRun } from './response-run.ts'
import type { ResponseUsage } from './usage.ts'

type Loose = Record<string, unknown>

/** `realtime.response` as `response.created` (no usage yet) and `response.done` carry it. */
export function responseObject(
  session: Loose,
  sessionId: string,
  run: ResponseRun,
  options: ResponseOptions,
  usage: ResponseUsage | null,
): Loose {
  const output = (session.audio as { output?: Loose }).output
  const isOver = run.status !== 'in_progress'
  return {
    object: 'realtime.response',
    id: run.id,
    status: run.status,
    status_details: run.reason === null ? null : { type: run.status, reason: run.reason },
    output: isOver ? [{ ...run.item }] : [],
    conversation_id: options.conversation === 'none' ? null : `conv_${sessionId.slice(5)}`,
    output_modalities: options.output_modalities ?? session.output_modalities,
    max_output_tokens: options.max_output_tokens ?? session.max_output_tokens,
    audio: { output: { format: output?.format, voice: output?.voice } },
    usage,
    metadata: options.metadata ?? null,
  }
}

/** Tokens a minute that a new account of the live service has; shown, never enforced. */
const TOKENS_PER_MINUTE = 40_000

export function rateLimits(used: number): Loose {
  const remaining = Math.max(0, TOKENS_PER_MINUTE - used)
  const reset_seconds = Math.round((used / TOKENS_PER_MINUTE) * 6_000) / 100
  return {
    type: 'rate_limits.updated',
    rate_limits: [{ name: 'tokens', limit: TOKENS_PER_MINUTE, remaining, reset_seconds }],
  }
}
