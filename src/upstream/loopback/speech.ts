/** What an answer will be, decided before its first event. */
export type Answer =
  | { kind: 'text'; text: string }
  /** `audio(fromMs, toMs)` gives the raw bytes of that stretch in the session's output format. */
  | { kind: 'audio'; transcript: string; lengthMs: number; audio: (fromMs: number, toMs: number) => Buffer }
  | { kind: 'tool'; name: string; arguments: string }

type Loose = Record<string, unknown>

/** What the answer is made from. */
export interface Question {
  /** The last input as text; empty for audio. */
  text: string
  /** The last input's audio, in the session's output format; null when there is none to speak back. */
  audio: Buffer | null
  isToolResult: boolean
  bytesPerSecond: number
  modality: 'audio' | 'text'
  tools: readonly Loose[]
  toolChoice: unknown
}

/** Pace at which a text is read out, characters a second. */
const SPOKEN_CHARACTERS = 15
const LONGEST_MS = 300_000
const CALL = /\bcall\s+([A-Za-z0-9_-]{1,64})\s*(\{.*\})?/s
const SPEAK_FOR = /\bspeak for\s+(\d{1,3})\s*s/i
const SAY = /\bsay:\s*(.+)$/is

/**
 * Decides an answer without any model: a tool call where the script asks for one, else the caller's own words back, else a
 * tone as long as the text would take to read. `call NAME {json}`, `speak for 40 s` and `say: …` are its script.
 */
export function answerTo(question: Question): Answer {
  const { text, tools, toolChoice } = question
  const names = tools.map((tool) => String(tool.name ?? '')).filter((name) => name !== '')
  if (names.length > 0 && !question.isToolResult && toolChoice !== 'none') {
    const call = CALL.exec(text)
    const forced = typeof toolChoice === 'object' && toolChoice !== null ? (toolChoice as Loose).name : undefined
    const name = typeof forced === 'string' ? forced : names.find((known) => known === call?.[1])
    if (name !== undefined) return { kind: 'tool', name, arguments: call?.[2] ?? '{}' }
    if (toolChoice === 'required') return { kind: 'tool', name: names[0] ?? '', arguments: '{}' }
  }
  const said = SAY.exec(text)?.[1]?.trim()
  const heardMs = question.audio === null ? 0 : (question.audio.length / question.bytesPerSecond) * 1_000
  const line = said ?? standIn(question, heardMs)
  if (question.modality === 'text') return { kind: 'text', text: line }
  const asked = Number(SPEAK_FOR.exec(text)?.[1] ?? 0) * 1_000
  if (question.audio !== null && asked === 0) {
    const audio = question.audio
    return {
      kind: 'audio',
      transcript: line,
      lengthMs: heardMs,
      audio: (from, to) => slice(audio, from, to, question.bytesPerSecond),
    }
  }
  const lengthMs = Math.min(LONGEST_MS, asked > 0 ? asked : (line.length / SPOKEN_CHARACTERS) * 1_000)
  return { kind: 'audio', transcript: line, lengthMs, audio: (from, to) => tone(from, to, question.bytesPerSecond) }
}

function standIn(question: Question, heardMs: number): string {
  const heard =
    question.audio === null
      ? `It read ${question.text.length} characters.`
      : `It heard ${(heardMs / 1_000).toFixed(1)} s of speech and says it back.`
  return `This is the loopback provider. ${heard}`
}

function slice(audio: Buffer, fromMs: number, toMs: number, bytesPerSecond: number): Buffer {
  const at = (ms: number) => Math.floor((ms * bytesPerSecond) / 1_000) & ~1
  return audio.subarray(at(fromMs), at(toMs))
}

/** A hum that rises and falls like syllables do, about four a second. */
function tone(fromMs: number, toMs: number, bytesPerSecond: number): Buffer {
  const isPcm = bytesPerSecond === 48_000
  const rate = isPcm ? 24_000 : 8_000
  const from = Math.floor((fromMs * rate) / 1_000)
  const to = Math.floor((toMs * rate) / 1_000)
  const out = Buffer.alloc((to - from) * (isPcm ? 2 : 1))
  for (let i = from; i < to; i++) {
    const t = i / rate
    const swell = Math.max(0, Math.sin(2 * Math.PI * 2 * t))
    const sample = 0.2 * swell * Math.sin(2 * Math.PI * 220 * t)
    if (isPcm) out.writeInt16LE(Math.round(sample * 32_767), (i - from) * 2)
    // Mid-scale in either law of G.711 with the sign of the wave: a buzz at the same pace.
    else out[i - from] = swell === 0 ? 0xff : sample < 0 ? 0x2f : 0xaf
  }
  return out
}
