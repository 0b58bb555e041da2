import type { LiveRow, TimelineEntry } from '../wire/console.ts'
import { clock, dollars, whole, words } from './format.ts'

/** What goes on, as people say it. */
const ACTIVITIES: Readonly<Record<LiveRow['activity'], string>> = {
  opening: 'Connecting',
  quiet: 'Quiet',
  caller_speaking: 'Caller speaks',
  awaiting_answer: 'Awaiting answer',
  answering: 'Answering',
  playing: 'Answer plays',
  awaiting_tool: 'Awaiting a tool',
  caller_away: 'Caller away',
  ending: 'Ending',
}

export const activityWords = (row: Pick<LiveRow, 'activity'>): string => ACTIVITIES[row.activity]

/** `dana at acme`, `acme` */
export const whoWords = ({ user, tenant }: { user: string | null; tenant: string }): string =>
  user === null ? tenant : `${user} · ${tenant}`

/** What is left of the idle clock; why it stands still where it does. */
export function idleWords({ phase, activity, idle_ends_at }: LiveRow, now: number): string {
  if (phase === 'parked') return 'away'
  if (phase !== 'live') return '–'
  if (idle_ends_at === null) return activity === 'answering' ? 'held' : 'none'
  const left = idle_ends_at - now
  return left <= 0 ? 'now' : clock(left + 999)
}

/** Whether the idle cut is near, for emphasis. */
export function isIdleNear({ phase, idle_ends_at }: LiveRow, now: number): boolean {
  return phase === 'live' && idle_ends_at !== null && idle_ends_at - now < 15_000
}

/** Rows that hold all words of what was typed, anywhere in who, model, plan, phase, activity or id. */
export function matching(rows: Iterable<LiveRow>, typed: string): LiveRow[] {
  const wanted = typed.toLowerCase().split(/\s+/).filter(Boolean)
  const found: LiveRow[] = []
  for (const row of rows) {
    const text = [row.id, row.tenant, row.user, row.model, row.plan, row.phase, row.node, activityWords(row)]
    const all = text.join(' ').toLowerCase()
    if (wanted.every((word) => all.includes(word))) found.push(row)
  }
  return found
}

const MOMENTS: Readonly<Record<string, string>> = {
  'phase.live': 'Live',
  'phase.parked': 'Caller away, line kept open',
  'phase.draining': 'Ending: last usage is awaited',
  'phase.ended': 'Ended',
  'input_audio_buffer.speech_started': 'Caller began to speak',
  'input_audio_buffer.speech_stopped': 'Caller stopped speaking',
  'input_audio_buffer.committed': 'Turn taken',
  'conversation.item.create': 'Wrote, or answered a tool',
  'session.update': 'Asked for other settings',
  'session.created': 'Settings told',
  'session.updated': 'Settings changed',
  'response.create': 'Asked for an answer',
  'response.cancel': 'Asked to stop the answer',
  'response.function_call_arguments.done': 'Called a tool',
  'input_audio_buffer.timeout_triggered': 'Took silence for a turn',
  'conversation.item.input_audio_transcription.completed': 'Turn written down',
  'conversation.item.truncated': 'Answer cut where it was heard',
  error: 'Error',
  'response.created': 'Answer began',
  'response.done': 'Answer done',
  'parley.usage': 'Booked',
  'parley.throttled': 'Throttled',
  'parley.warning': 'Warned of the limit',
  'parley.idle_over': 'Idle warning taken back',
  'parley.budget_warning': 'Warned of the budget',
  'parley.session': 'Introduced',
  'parley.going_away': 'Told that the node goes away',
  'parley.gap': 'Told what was lost',
  'parley.restored': 'Conversation put back',
  'parley.session_ended': 'Told of the end',
}

/** The words of a moment, and what stands beside them. */
export function momentWords({ type, note, input_tokens, output_tokens, cost_nano_usd }: TimelineEntry) {
  const parts = [note === null ? null : words(note)]
  if (input_tokens !== null && output_tokens !== null)
    parts.push(`${whole(input_tokens)} in, ${whole(output_tokens)} out`)
  if (cost_nano_usd !== null) parts.push(dollars(cost_nano_usd))
  return { what: MOMENTS[type] ?? type, beside: parts.filter((part) => part !== null).join(' · ') }
}
