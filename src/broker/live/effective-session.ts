/** What the broker needs to know of the session object that the provider holds, as `session.created`/`.updated` tell it. */
export interface EffectiveSession {
  /** Raw audio bytes of one second, each way. */
  inputBytesPerSecond: number
  outputBytesPerSecond: number
  input: { encoding: 'pcm16'; rate: number } | { encoding: 'pcmu' | 'pcma'; rate: 8_000 }
  /** Null: the provider does not listen for turns, so the broker does. */
  turnDetection: { createsResponse: boolean; interruptsResponse: boolean; silenceMs: number } | null
  transcribesInput: boolean
}

/** Before anything is known: OpenAI's own defaults (reference: realtime protocol, session object). */
export const DEFAULT_SESSION: EffectiveSession = {
  inputBytesPerSecond: 48_000,
  outputBytesPerSecond: 48_000,
  input: { encoding: 'pcm16', rate: 24_000 },
  turnDetection: { createsResponse: true, interruptsResponse: true, silenceMs: 500 },
  transcribesInput: false,
}

type Loose = Record<string, unknown>

/**
 * A session event with the name the caller asked for and the broker's own cap, where that comes first, in `expires_at`
 * (Unix seconds); null where the provider's own says the same already.
 */
export function dressSession(event: Loose, model: string, endsAtMs: number): Buffer | null {
  const session = child(event, 'session')
  if (session === null) return null
  const cap = Math.floor(endsAtMs / 1_000)
  const theirs = session.expires_at
  const expires_at = typeof theirs === 'number' && theirs > 0 && theirs < cap ? theirs : cap
  const named = typeof session.model === 'string' ? model : undefined
  if (theirs === expires_at && session.model === named) return null
  const dressed = { ...session, ...(named === undefined ? {} : { model: named }), expires_at }
  return Buffer.from(JSON.stringify({ ...event, session: dressed }))
}

/** Reads the GA session object of either kind; what is absent or unknown keeps its default. */
export function readSession(session: unknown): EffectiveSession {
  const audio = child(session, 'audio')
  const input = child(audio, 'input')
  const format = formatOf(child(input, 'format'))
  const output = formatOf(child(child(audio, 'output'), 'format'))
  const isTranscription = field(session, 'type') === 'transcription'
  const detection = input === null ? undefined : field(input, 'turn_detection')
  return {
    inputBytesPerSecond: bytesPerSecond(format),
    outputBytesPerSecond: bytesPerSecond(output),
    input: format,
    turnDetection: turnDetection(detection, isTranscription),
    transcribesInput: isTranscription || child(input, 'transcription') !== null,
  }
}

function turnDetection(raw: unknown, isTranscription: boolean): EffectiveSession['turnDetection'] {
  if (raw === null) return null
  const silence = field(raw, 'silence_duration_ms')
  return {
    createsResponse: !isTranscription && field(raw, 'create_response') !== false,
    interruptsResponse: field(raw, 'interrupt_response') !== false,
    silenceMs: typeof silence === 'number' ? silence : 500,
  }
}

function formatOf(raw: Loose | null): EffectiveSession['input'] {
  switch (raw?.type) {
    case 'audio/pcmu':
      return { encoding: 'pcmu', rate: 8_000 }
    case 'audio/pcma':
      return { encoding: 'pcma', rate: 8_000 }
    default:
      return { encoding: 'pcm16', rate: typeof raw?.rate === 'number' && raw.rate >= 8_000 ? raw.rate : 24_000 }
  }
}

function bytesPerSecond(format: EffectiveSession['input']): number {
  return format.encoding === 'pcm16' ? format.rate * 2 : format.rate
}

function child(parent: unknown, key: string): Loose | null {
  const value = field(parent, key)
  return typeof value === 'object' && value !== null ? (value as Loose) : null
}

function field(parent: unknown, key: string): unknown {
  return typeof parent === 'object' && parent !== null ? (parent as Loose)[key] : undefined
}
