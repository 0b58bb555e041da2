type Loose = Record<string, unknown>

/** Where each field of a beta session object lives in a GA one (reference: realtime protocol, beta and GA names). */
const PLACES: Readonly<Record<string, string>> = {
  model: 'model',
  instructions: 'instructions',
  tools: 'tools',
  tool_choice: 'tool_choice',
  tracing: 'tracing',
  prompt: 'prompt',
  truncation: 'truncation',
  include: 'include',
  modalities: 'output_modalities',
  max_response_output_tokens: 'max_output_tokens',
  voice: 'audio.output.voice',
  speed: 'audio.output.speed',
  output_audio_format: 'audio.output.format',
  input_audio_format: 'audio.input.format',
  input_audio_transcription: 'audio.input.transcription',
  input_audio_noise_reduction: 'audio.input.noise_reduction',
  turn_detection: 'audio.input.turn_detection',
}

const FORMATS: Readonly<Record<string, Loose>> = {
  pcm16: { type: 'audio/pcm', rate: 24_000 },
  g711_ulaw: { type: 'audio/pcmu' },
  g711_alaw: { type: 'audio/pcma' },
}

/** A transcription session of the GA protocol has no output side and says nothing of a model of its own. */
const TRANSCRIPTION_FIELDS: ReadonlySet<string> = new Set([
  'include',
  'input_audio_format',
  'input_audio_transcription',
  'input_audio_noise_reduction',
  'turn_detection',
])

/**
 * The GA form of a beta session object. What GA has no place for (`temperature`) is left out, as are fields that are
 * nobody's; `null` stays, because it switches things off.
 */
export function fromBeta<T extends 'realtime' | 'transcription'>(type: T, beta: Loose): Loose & { type: T } {
  const session: Loose & { type: T } = { type }
  for (const [field, place] of Object.entries(PLACES)) {
    const value = beta[field]
    if (value === undefined || (type === 'transcription' && !TRANSCRIPTION_FIELDS.has(field))) continue
    put(session, place.split('.'), translated(field, value))
  }
  return session
}

function translated(field: string, value: unknown): unknown {
  if (field.endsWith('_audio_format')) return FORMATS[String(value)] ?? value
  // Beta asked for text beside audio; GA's audio always has its transcript beside it.
  if (field === 'modalities') return Array.isArray(value) && value.includes('audio') ? ['audio'] : ['text']
  return value
}

function put(into: Loose, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path
  if (rest.length === 0) {
    into[first] = value
    return
  }
  const inner = (into[first] ?? {}) as Loose
  into[first] = inner
  put(inner, rest, value)
}
