import type { ParleyServerEvent } from '../wire/parley-events.ts'

/** Events of the provider that mean something to the widget; all others pass by. Only what is read is named. */
export type ProviderEvent =
  | { type: 'session.created' | 'session.updated'; session?: SessionShape }
  | { type: 'input_audio_buffer.speech_started'; item_id: string; audio_start_ms?: number }
  | { type: 'input_audio_buffer.speech_stopped'; item_id: string; audio_end_ms?: number }
  | { type: 'input_audio_buffer.committed'; item_id: string }
  | { type: 'conversation.item.input_audio_transcription.delta'; item_id: string; delta?: string }
  | { type: 'conversation.item.input_audio_transcription.completed'; item_id: string; transcript?: string }
  | { type: 'response.created'; response: { id: string } }
  | { type: 'response.output_audio.delta'; response_id: string; item_id: string; content_index?: number; delta: string }
  | { type: 'response.output_audio.done'; item_id: string }
  | { type: 'response.output_audio_transcript.delta' | 'response.output_text.delta'; item_id: string; delta: string }
  | { type: 'response.output_audio_transcript.done'; item_id: string; transcript: string }
  | { type: 'response.output_text.done'; item_id: string; text: string }
  | { type: 'response.done'; response: { id: string; status?: string; output?: { id?: string }[] } }
  | { type: 'error'; error: ErrorShape }

export interface SessionShape {
  audio?: { input?: { turn_detection?: { interrupt_response?: boolean } | null } }
}

export interface ErrorShape {
  code?: string | null
  message?: string
  event_id?: string | null
  retry_after_ms?: number
}

/** Whatever came: the types above where they are known, anything else with its `type`. */
export type ServerEvent = ProviderEvent | ParleyServerEvent
