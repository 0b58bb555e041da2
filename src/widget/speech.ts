import type { ClientEvent, Effect, Session } from './call-state.ts'

/** Items that were cut and may still get sound; only the last few can. */
const MOST_CUT = 16
/** 24 kHz, 16 bit: bytes of one millisecond. */
const BYTES_PER_MS = 48

/** How long a piece of sound lasts that comes as base64, ms. */
export function lengthMs(base64: string): number {
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  return ((base64.length / 4) * 3 - padding) / BYTES_PER_MS
}

/** The speaker falls silent, and nothing more is played of what was queued. */
export function cutSpeech(session: Session): { session: Session; effects: readonly Effect[] } {
  if (session.sounding.length === 0) return { session, effects: [] }
  const cut = [...session.cut, ...session.sounding].slice(-MOST_CUT)
  return { session: { ...session, cut, sounding: [], isSpeaking: false }, effects: [{ type: 'cut' }] }
}

/** Tells the provider what was heard of an item, so that its conversation holds no more than that. */
export function truncation(itemId: string, heardMs: number): ClientEvent {
  return { type: 'conversation.item.truncate', item_id: itemId, content_index: 0, audio_end_ms: Math.floor(heardMs) }
}

/** A written turn. `id`: the widget's own name for it. */
export function writtenTurn(id: string, text: string): ClientEvent {
  const content = [{ type: 'input_text', text }]
  return { type: 'conversation.item.create', item: { id, type: 'message', role: 'user', content } }
}

/** An answer in writing costs a fraction of a spoken one, and is what somebody without a microphone reads anyway. */
export function askForAnswer(isSpoken: boolean): ClientEvent {
  return isSpoken ? { type: 'response.create' } : { type: 'response.create', response: { output_modalities: ['text'] } }
}
