import { type Api, ApiError } from './api.ts'
import type { StreamEvent } from './sse.ts'

export type LineState = 'connecting' | 'live' | 'lost'

/** Waits between attempts to come back, ms: doubled each time. */
const FIRST_WAIT = 1_000
const LONGEST_WAIT = 15_000
/** A page that nobody has looked at for so long lets go of the stream until somebody does, ms. */
const HIDDEN_FOR = 60_000

/** Keeps the live stream open: comes back when it is lost, rests while the page is hidden. */
export class LiveStream {
  readonly #api: Api
  readonly #hear: (events: StreamEvent[]) => void
  /** A stream begins anew: it tells everything once more. */
  readonly #began: () => void
  readonly #changed: (state: LineState) => void
  readonly #refused: (error: ApiError) => void
  #stop = new AbortController()
  #wait = FIRST_WAIT
  #timer = 0
  #hiddenTimer = 0
  #isOpen = false

  constructor(
    api: Api,
    port: {
      hear(events: StreamEvent[]): void
      began(): void
      changed(state: LineState): void
      refused(error: ApiError): void
    },
  ) {
    this.#api = api
    this.#hear = port.hear
    this.#began = port.began
    this.#changed = port.changed
    this.#refused = port.refused
    document.addEventListener('visibilitychange', this.#look)
    void this.#open()
  }

  close(): void {
    document.removeEventListener('visibilitychange', this.#look)
    clearTimeout(this.#hiddenTimer)
    this.#rest()
  }

  readonly #look = () => {
    clearTimeout(this.#hiddenTimer)
    if (document.hidden) this.#hiddenTimer = window.setTimeout(() => this.#rest(), HIDDEN_FOR)
    else if (!this.#isOpen) void this.#open()
  }

  #rest(): void {
    clearTimeout(this.#timer)
    this.#stop.abort()
    this.#isOpen = false
  }

  async #open(): Promise<void> {
    clearTimeout(this.#timer)
    const stop = new AbortController()
    this.#stop = stop
    this.#isOpen = true
    this.#changed('connecting')
    try {
      await this.#api.live(
        stop.signal,
        () => {
          this.#wait = FIRST_WAIT
          this.#began()
          this.#changed('live')
        },
        this.#hear,
      )
    } catch (error) {
      if (!stop.signal.aborted && error instanceof ApiError && error.isKey) return this.#refused(error)
    }
    if (stop.signal.aborted) return
    this.#changed('lost')
    this.#timer = window.setTimeout(() => void this.#open(), this.#wait)
    this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2)
  }
}
