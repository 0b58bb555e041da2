import type { Clock } from '../../clock.ts'
import { later, ms } from '../../units.ts'
import type { VoiceDetection, VoiceDetector } from '../../voice/detector.ts'
import { InputBuffer } from './input-buffer.ts'
import type { SessionView } from './session-object.ts'

type Loose = Record<string, unknown>

/** What turn taking needs of its session. */
export interface TurnPort {
  emit(event: Loose): void
  newId(prefix: string): string
  /** The user began to speak over whatever is being said. */
  interrupted(): void
  /** A turn is complete. `respond`: the session answers by itself. */
  committed(itemId: string, audio: Buffer, respond: boolean): void
}

/**
 * Audio kept from before an utterance was noticed, ms: detection comes late when audio arrives much faster than it was
 * spoken.
 */
const LOOK_BACK_MS = 15_000
const SHORTEST_COMMIT_MS = 100

/** The input side of a session: what was heard, who speaks, and when a turn is over. */
export class Turns {
  readonly #port: TurnPort
  readonly #clock: Clock
  readonly #voices: VoiceDetection
  #buffer = new InputBuffer()
  #view: SessionView
  #detector: VoiceDetector | null = null
  #settings = ''
  #turn: { itemId: string; startMs: number } | null = null
  #idle: Disposable | null = null

  constructor(view: SessionView, port: TurnPort, clock: Clock, voices: VoiceDetection) {
    this.#view = view
    this.#port = port
    this.#clock = clock
    this.#voices = voices
    this.configure(view)
  }

  configure(view: SessionView): void {
    this.#view = view
    const settings = JSON.stringify([view.detection?.silenceMs ?? null, view.input])
    if (settings === this.#settings) return
    this.#settings = settings
    this.#detector?.[Symbol.dispose]()
    this.#detector = null
    this.#turn = null
    if (view.detection === null) return
    const startedAt = this.#ms(this.#buffer.end)
    this.#detector = this.#voices.detector(
      { format: view.input, silenceMs: view.detection.silenceMs },
      {
        speechStarted: (at) => this.#started(startedAt + at),
        speechStopped: (at) => this.#stopped(startedAt + at),
      },
    )
  }

  /** False when the buffer is full. */
  append(base64: string): boolean {
    if (!this.#buffer.append(Buffer.from(base64, 'base64'))) return false
    if (this.#detector !== null) {
      this.#detector.hearBase64(Buffer.from(base64, 'latin1'))
      if (this.#turn === null) this.#buffer.forget(this.#bytes(LOOK_BACK_MS))
    }
    return true
  }

  /** Everything waiting becomes the user's turn; false when that is too little. */
  commit(): boolean {
    if (this.#ms(this.#buffer.length) < SHORTEST_COMMIT_MS) return false
    const itemId = this.#turn?.itemId ?? this.#port.newId('item')
    this.#turn = null
    this.#port.committed(itemId, this.#buffer.takeAll(), false)
    return true
  }

  clear(): void {
    this.#turn = null
    this.#buffer.clear()
    // What the detector has still to hear of is gone as well: no turn comes of it later.
    this.#settings = ''
    this.configure(this.#view)
  }

  /** The session has said all: silence from `afterMs` on may make it speak by itself (`idle_timeout_ms`). */
  restIn(afterMs: number): void {
    this.#idle?.[Symbol.dispose]()
    const idleMs = this.#view.detection?.idleMs ?? null
    if (idleMs === null) return
    this.#idle = this.#clock.at(later(this.#clock.now(), ms(afterMs + idleMs)), () => this.#timedOut(idleMs))
  }

  close(): void {
    this.#idle?.[Symbol.dispose]()
    this.#detector?.[Symbol.dispose]()
  }

  #started(atMs: number): void {
    this.#idle?.[Symbol.dispose]()
    const { detection } = this.#view
    if (detection === null || this.#turn !== null) return
    const startMs = Math.max(0, Math.round(atMs - detection.prefixMs))
    this.#turn = { itemId: this.#port.newId('item'), startMs }
    const { itemId } = this.#turn
    this.#port.emit({ type: 'input_audio_buffer.speech_started', audio_start_ms: startMs, item_id: itemId })
    if (detection.interrupts) this.#port.interrupted()
  }

  #stopped(atMs: number): void {
    const { detection } = this.#view
    const turn = this.#turn
    if (detection === null || turn === null) return
    this.#turn = null
    const endMs = Math.round(atMs + detection.silenceMs)
    this.#port.emit({ type: 'input_audio_buffer.speech_stopped', audio_end_ms: endMs, item_id: turn.itemId })
    const audio = this.#buffer.take(this.#bytes(turn.startMs), this.#bytes(endMs))
    this.#port.committed(turn.itemId, audio, detection.creates)
  }

  #timedOut(idleMs: number): void {
    if (this.#turn !== null || this.#view.detection === null) return
    const end = this.#buffer.end
    const itemId = this.#port.newId('item')
    const audio_end_ms = Math.round(this.#ms(end))
    const audio_start_ms = Math.max(0, audio_end_ms - idleMs)
    this.#port.emit({ type: 'input_audio_buffer.timeout_triggered', item_id: itemId, audio_start_ms, audio_end_ms })
    this.#port.committed(itemId, this.#buffer.takeAll(), true)
  }

  #bytes(atMs: number): number {
    return Math.floor((atMs * this.#view.bytesPerSecondIn) / 1_000) & ~1
  }

  #ms(length: number): number {
    return (length / this.#view.bytesPerSecondIn) * 1_000
  }
}
