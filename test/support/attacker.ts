import { pcm, silence, speech } from '../../fixtures/index.ts'
import type { Caller } from './caller.ts'

/** How a session tries to buy more than it may. */
export type Attack =
  /** Speech at 20 times its speed, answered by the provider's own turn taking. */
  | 'turns'
  /** The same without turn taking: commits and asks, again and again. */
  | 'commits'
  /** Asks for one answer after another, at once. */
  | 'asks'

const WORDS = Buffer.concat([pcm(speech.weather), silence(1_200)])
/** 100 ms of audio every 5 ms. */
const PIECE = 4_800
const EVERY_MS = 5
/** More waits in the caller's own memory only when the broker takes no more. */
const MOST_BUFFERED = 256 * 1_024
/** A conversation that has grown so dear that nothing fits is given up for a new one after this, ms. */
const LIFE_MS = 14_000

/** A caller that never stops, and comes back whenever it is cut off, until it is told that it is over. */
export class Attacker {
  /** The provider's ids of the sessions it has had. */
  readonly sessions = new Set<string>()
  readonly #attack: Attack
  readonly #connect: () => Promise<Caller>
  readonly #over: AbortSignal

  constructor(attack: Attack, connect: () => Promise<Caller>, over: AbortSignal) {
    this.#attack = attack
    this.#connect = connect
    this.#over = over
  }

  async run(): Promise<void> {
    while (!this.#over.aborted) {
      using caller = await this.#connect()
      const { session } = (await caller.next('session.created')) as unknown as { session: { id: string } }
      this.sessions.add(session.id)
      await this.#live(caller)
    }
  }

  async #live(caller: Caller): Promise<void> {
    const over = AbortSignal.any([this.#over, AbortSignal.timeout(LIFE_MS)])
    const { promise, resolve } = Promise.withResolvers<void>()
    over.addEventListener('abort', () => resolve())
    void caller.closed().then(() => resolve())
    if (this.#attack === 'commits') {
      const audio = { input: { turn_detection: null } }
      caller.send({ type: 'session.update', session: { type: 'realtime', audio } })
    }
    let n = 0
    const timer = setInterval(() => {
      if (caller.socket.bufferedAmount < MOST_BUFFERED) this.#push(caller, n++)
    }, EVERY_MS)
    await promise
    clearInterval(timer)
    // What it has sent and nobody has read is not waited for.
    caller.vanish()
  }

  #push(caller: Caller, n: number): void {
    if (this.#attack === 'asks') {
      if (n % 4 !== 0) return
      if (n % 200 === 0) caller.send({ type: 'conversation.item.create', item: LONG_ANSWER })
      return caller.send({ type: 'response.create' })
    }
    const at = (n * PIECE) % WORDS.length
    const piece = WORDS.subarray(at, at + PIECE)
    caller.send({ type: 'input_audio_buffer.append', audio: piece.toString('base64') })
    if (this.#attack !== 'commits' || n % 40 !== 39) return
    caller.send({ type: 'input_audio_buffer.commit' })
    caller.send({ type: 'response.create' })
  }
}

const LONG_ANSWER = {
  type: 'message',
  role: 'user',
  content: [{ type: 'input_text', text: 'speak for 20 s' }],
}
