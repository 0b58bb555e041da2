import type { Clock } from '../../clock.ts'
import type { Peer } from '../../frames/peer.ts'
import { later, seconds } from '../../units.ts'
import { ownEvent } from './own-event.ts'
import { child, type Loose, text } from './provider-events.ts'

/** A provider that has not answered by then is not waited for. */
const WITHIN = seconds(2)

/**
 * The end of a line over which the provider may have begun to answer a moment ago: a turn that it took just then costs money
 * (M3). Its input buffer is emptied; once it says so, nothing more can begin, and what has begun is over or is cancelled.
 */
export class LastWords {
  readonly #peer: Peer
  readonly #over: () => void
  readonly #alarm: Disposable
  readonly #isTranscribed: boolean
  /** What is still to be accounted for: responses, and turns that are written down. */
  readonly #owed = new Set<string>()
  #isCleared = false
  #isOver = false

  /** `isTranscribed`: turns are written down, which costs, too. `over` is called once, never at once. */
  constructor(clock: Clock, peer: Peer, isTranscribed: boolean, over: () => void) {
    this.#peer = peer
    this.#isTranscribed = isTranscribed
    this.#over = over
    this.#alarm = clock.at(later(clock.now(), WITHIN), () => this.end())
    peer.send(ownEvent({ type: 'input_audio_buffer.clear' }))
  }

  hear(event: Loose): void {
    const id = text(child(event, 'response'), 'id') ?? ''
    const turn = `turn ${text(event, 'item_id')}`
    switch (event.type) {
      case 'input_audio_buffer.committed':
        if (this.#isTranscribed) this.#owed.add(turn)
        break
      case 'conversation.item.input_audio_transcription.completed':
      case 'conversation.item.input_audio_transcription.failed':
        this.#owed.delete(turn)
        break
      case 'response.created':
        this.#owed.add(id)
        this.#peer.send(ownEvent({ type: 'response.cancel', response_id: id }))
        break
      case 'response.done':
        this.#owed.delete(id)
        break
      case 'input_audio_buffer.cleared':
        this.#isCleared = true
    }
    if (this.#isCleared && this.#owed.size === 0) this.end()
  }

  /** Nothing more will come, or is waited for. */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#alarm[Symbol.dispose]()
    this.#over()
  }
}
