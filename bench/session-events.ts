/** The events around the audio, as a GA provider words them (OpenAI, realtime API). */
const SESSION = {
  type: 'realtime',
  object: 'realtime.session',
  id: 'sess_DP4hCbench',
  model: 'gpt-realtime',
  output_modalities: ['audio'],
  instructions:
    'You are a helpful, witty, and friendly voice assistant. Talk quickly. Answer in the language you hear.',
  tools: [],
  tool_choice: 'auto',
  max_output_tokens: 'inf',
  tracing: null,
  truncation: 'auto',
  prompt: null,
  expires_at: 0,
  audio: {
    input: {
      format: { type: 'audio/pcm', rate: 24_000 },
      transcription: null,
      noise_reduction: null,
      turn_detection: {
        type: 'server_vad',
        threshold: 0.5,
        prefix_padding_ms: 300,
        silence_duration_ms: 200,
        idle_timeout_ms: null,
        create_response: true,
        interrupt_response: true,
      },
    },
    output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'alloy', speed: 1 },
  },
  include: null,
}
const RESPONSE = {
  object: 'realtime.response',
  id: 'resp_DP4hC2bench',
  status_details: null,
  output: [],
  conversation_id: 'conv_DP4hCbench',
  output_modalities: ['audio'],
  max_output_tokens: 'inf',
  audio: { output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'alloy' } },
  metadata: null,
}

export const SESSION_CREATED = JSON.stringify({
  type: 'session.created',
  event_id: 'event_DP4hCcreated',
  session: SESSION,
})
export const responseCreated = (id: string) =>
  JSON.stringify({
    type: 'response.created',
    event_id: 'event_DP4hCbegun',
    response: { ...RESPONSE, id, status: 'in_progress', usage: null },
  })
export const responseDone = (id: string) =>
  JSON.stringify({
    type: 'response.done',
    event_id: 'event_DP4hCdone',
    response: { ...RESPONSE, id, status: 'completed', usage: USAGE },
  })
const USAGE = { total_tokens: 300, input_tokens: 100, output_tokens: 200 }
export const RESPONSE_CREATED = responseCreated(RESPONSE.id)
export const RESPONSE_DONE = responseDone(RESPONSE.id)
/** Asks for an answer. */
export const RESPONSE_CREATE = JSON.stringify({ type: 'response.create' })
/** A caller's first event: what every client sends once it is connected. */
export const SESSION_UPDATE = JSON.stringify({
  type: 'session.update',
  session: { type: 'realtime', instructions: 'Be brief.' },
})
