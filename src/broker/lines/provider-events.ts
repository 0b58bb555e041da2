import type { SessionUsage } from '../../store/session-records.ts'

/** What the session, the journal and the meter need from the provider's events; everything else passes unread. */
export const PARSED_FROM_PROVIDER: ReadonlySet<string> = new Set([
  'error',
  'session.created',
  'session.updated',
  'conversation.item.added',
  'conversation.item.created',
  'conversation.item.done',
  'conversation.item.deleted',
  'conversation.item.truncated',
  'conversation.item.input_audio_transcription.completed',
  'conversation.item.input_audio_transcription.failed',
  'input_audio_buffer.cleared',
  'input_audio_buffer.committed',
  'input_audio_buffer.speech_started',
  'input_audio_buffer.speech_stopped',
  'input_audio_buffer.timeout_triggered',
  'response.created',
  'response.done',
  'response.function_call_arguments.done',
  'response.output_item.done',
])

export type Loose = Record<string, unknown>

/** The provider's own JSON. Null when it is not an object: it is passed on, but nothing is learnt from it. */
export function parseProviderEvent(bytes: Buffer): Loose | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Loose) : null
  } catch {
    return null
  }
}

export function child(parent: unknown, key: string): Loose | null {
  const value = typeof parent === 'object' && parent !== null ? (parent as Loose)[key] : undefined
  return typeof value === 'object' && value !== null ? (value as Loose) : null
}

export function text(parent: unknown, key: string): string | null {
  const value = typeof parent === 'object' && parent !== null ? (parent as Loose)[key] : undefined
  return typeof value === 'string' ? value : null
}

export function count(parent: unknown, key: string): number {
  const value = typeof parent === 'object' && parent !== null ? (parent as Loose)[key] : undefined
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0
}

/** Adds what the provider counted for one response. */
export function countIn(sum: SessionUsage, usage: Loose): void {
  sum.input_tokens += count(usage, 'input_tokens')
  sum.output_tokens += count(usage, 'output_tokens')
  sum.responses++
}

/** Who is to transcribe what the caller says, by a session object or a part of one; null where it names nobody. */
export function transcriptionModel(session: Loose | null): string | null {
  return text(child(child(child(session, 'audio'), 'input'), 'transcription'), 'model')
}
