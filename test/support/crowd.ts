import { setTimeout as wait } from 'node:timers/promises'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { Caller, type Event } from './caller.ts'
import type { NodeProcess } from './node-process.ts'
import { demo } from './parley.ts'

/** What a caller is in the middle of: a long answer, its own words, or one short turn after another. */
export type Doing = 'listening' | 'speaking' | 'chatting'

const WORDS = Buffer.concat([pcm(speech.order), silence(1_200), pcm(speech.weather), silence(1_200)])

/** A caller who holds a conversation, and comes back with its token when its line is lost. */
export class Guest implements Disposable {
  readonly speaksParley: boolean
  readonly doing: Doing
  /** The present connection. */
  caller: Caller
  sessionId: string | null = null
  token: string | null = null
  /** Every answer that was completed. */
  turns = 0
  /** Counted frames before the present connection. */
  #before = 0
  #microphone: NodeJS.Timeout | null = null

  private constructor(caller: Caller, doing: Doing, speaksParley: boolean) {
    this.caller = caller
    this.doing = doing
    this.speaksParley = speaksParley
  }

  /** Resolves once the conversation is under way. */
  static async arrive(node: NodeProcess, doing: Doing, speaksParley: boolean): Promise<Guest> {
    const caller = await Caller.connect(node.door(`model=gpt-realtime${speaksParley ? '&parley=1' : ''}`), demo.key)
    const guest = new Guest(caller, doing, speaksParley)
    if (speaksParley) await guest.#introduced(caller)
    await guest.#converse(caller)
    return guest
  }

  /** Number of the last counted frame it has seen. */
  get seen(): number {
    return this.#before + this.caller.events.filter((event) => !event.type.startsWith('parley.')).length
  }

  /**
   * Comes back to one of the nodes, as a client should: tries again after the time it was told, or at once elsewhere when
   * nobody answers. Throws when it is told to stop.
   */
  async comeBack(nodes: readonly NodeProcess[]): Promise<this> {
    const { seen, token } = this
    for (let attempt = 0; ; attempt++) {
      const node = nodes[attempt % nodes.length] as NodeProcess
      const caller = new Caller(node.door(`model=gpt-realtime&parley=1&resume_from=${seen}`), String(token))
      const answer = await caller
        .until((event) => event.type === 'parley.session' || event.type === 'error')
        .catch(() => null)
      if (answer?.type === 'parley.session') {
        this.caller = caller
        await this.#introduced(caller)
        this.#before = Number(answer.seq)
        return this
      }
      if (answer !== null) {
        const error = answer.error as { code: string; message: string; retry_after_ms?: number }
        if (error.retry_after_ms === undefined) throw new Error(`told to stop: ${error.code}, ${error.message}`)
        await wait(error.retry_after_ms)
      }
      caller.vanish()
    }
  }

  /** One more turn at the present connection; resolves with its answer. */
  ask(text = 'say: Here we are again.'): Promise<Event> {
    return this.caller.ask(text)
  }

  hangUp(): void {
    this.#quiet()
    this.caller.socket.close(1000)
  }

  [Symbol.dispose](): void {
    this.#quiet()
    this.caller[Symbol.dispose]()
  }

  async #introduced(caller: Caller): Promise<void> {
    const { session_id, resume_token } = (await caller.next('parley.session')) as never as Record<string, string>
    this.sessionId = String(session_id)
    this.token = String(resume_token)
  }

  async #converse(caller: Caller): Promise<void> {
    if (this.doing === 'speaking') {
      this.#speak(caller)
      await caller.next('input_audio_buffer.speech_started')
    } else if (this.doing === 'listening') {
      void caller.ask('speak for 40 s').catch(() => undefined)
      await caller.next('response.output_audio.delta')
    } else {
      void this.#chat(caller)
      await caller.next('response.created')
    }
  }

  /** Real time, as a microphone. */
  #speak(caller: Caller): void {
    let at = 0
    this.#microphone = setInterval(() => {
      caller.send({ type: 'input_audio_buffer.append', audio: WORDS.subarray(at, at + 4_800).toString('base64') })
      at = (at + 4_800) % WORDS.length
    }, 100)
    caller.socket.on('close', () => this.#quiet())
  }

  async #chat(caller: Caller): Promise<void> {
    // Whoever is told that the node goes away does not begin another turn there.
    while (caller.closure === null && caller.of('parley.going_away').length === 0) {
      const done = await caller.ask('say: This is a short answer.').catch(() => null)
      if ((done?.response as { status?: string } | undefined)?.status === 'completed') this.turns++
    }
  }

  #quiet(): void {
    if (this.#microphone !== null) clearInterval(this.#microphone)
    this.#microphone = null
  }
}

/** Callers in the middle of conversations of every kind: every other one can resume. */
export class Crowd implements Disposable {
  readonly guests: Guest[]

  private constructor(guests: Guest[]) {
    this.guests = guests
  }

  static async gather(node: NodeProcess, size: number, kinds: readonly Doing[] = KINDS): Promise<Crowd> {
    const guests: Guest[] = []
    // A few at a time: how a node bears a rush is not what is asked here.
    while (guests.length < size) {
      const next = Array.from({ length: Math.min(AT_ONCE, size - guests.length) }, (_, i) => guests.length + i)
      const kind = (i: number) => kinds[Math.floor(i / 2) % kinds.length] as Doing
      guests.push(...(await Promise.all(next.map((i) => Guest.arrive(node, kind(i), i % 2 === 0)))))
    }
    return new Crowd(guests)
  }

  get resumable(): Guest[] {
    return this.guests.filter((guest) => guest.speaksParley)
  }

  get plain(): Guest[] {
    return this.guests.filter((guest) => !guest.speaksParley)
  }

  [Symbol.dispose](): void {
    for (const guest of this.guests) guest[Symbol.dispose]()
  }
}

const AT_ONCE = 10
const KINDS: readonly Doing[] = ['listening', 'speaking', 'chatting']
