import { nextDeadline, transition } from './call.ts'
import type { CallEvent, CallState, Effect } from './call-state.ts'
import { Microphone, type NoMicrophone, whyNot } from './microphone.ts'
import { pageNow } from './page-clock.ts'
import type { ServerEvent } from './server-events.ts'
import { Socket } from './socket.ts'
import { Speaker } from './speaker.ts'

export interface CallPort {
  /** Where Parley is, and the model where the secret leaves it open. */
  address(): { parley: URL; model: string | null; worklet: URL }
  secret(): Promise<string>
  changed(state: CallState, before: CallState): void
  /** How loud the person, or the answer, is right now, 0 to 1. */
  level(who: 'user' | 'assistant', level: number): void
  /** An event as the server sent it, after the call has taken it in. */
  heard(event: ServerEvent): void
  /** For whoever maintains the page: a sentence and what it is about. */
  trouble(message: string, cause: unknown): void
}

/** The impure half of a call: keeps its state, performs its effects, and tells it what came of them. */
export class CallRunner {
  readonly #port: CallPort
  #state: CallState = { phase: 'resting' }
  #timer: ReturnType<typeof setTimeout> | undefined
  #socket: Socket | null = null
  #context: AudioContext | null = null
  #microphone: Microphone | null = null
  #speaker: Speaker | null = null
  #deviceId: string | null = null
  /** Numbers conversations, so that what one of them waited for does not reach the next. */
  #call = 0

  constructor(port: CallPort) {
    this.#port = port
  }

  get state(): CallState {
    return this.#state
  }

  get deviceId(): string | null {
    return this.#microphone?.deviceId ?? this.#deviceId
  }

  dispatch(event: CallEvent): void {
    const before = this.#state
    const { state, effects } = transition(before, event, pageNow())
    this.#state = state
    this.#arm()
    for (const effect of effects) this.#perform(effect)
    if (state !== before) this.#port.changed(state, before)
  }

  /** Another microphone, now and from now on. */
  async useMicrophone(deviceId: string): Promise<void> {
    this.#deviceId = deviceId
    const { phase } = this.#state
    if (phase === 'live' || phase === 'reconnecting') await this.#openMicrophone(this.#call)
  }

  /** One timer, aimed at the deadline that the state itself names. */
  #arm(): void {
    clearTimeout(this.#timer)
    const at = nextDeadline(this.#state)
    if (at === null || at === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => this.dispatch({ type: 'deadline' }), Math.max(0, at - pageNow()))
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'fetch_secret':
        return this.#fetchSecret(++this.#call)
      case 'open_microphone':
        // Right away, while the browser still knows that somebody has pressed a button.
        this.#context ??= newContext()
        return void this.#openAudio(this.#call)
      case 'mute_microphone':
        return this.#microphone?.mute(effect.isMuted)
      case 'close_audio':
        return this.#closeAudio()
      case 'dial':
        return this.#dial(effect.credential, effect.resumeFrom)
      case 'send':
        return this.#socket?.send(effect.event)
      case 'hang_up':
        this.#socket?.hangUp()
        this.#socket = null
        return
      case 'leave_line':
        this.#socket?.leave()
        this.#socket = null
        return
      case 'play':
        return this.#speaker?.play(effect.itemId, effect.audio)
      case 'played_out':
        return this.#speaker?.finish(effect.itemId)
      case 'cut':
        return this.#speaker?.cut()
    }
  }

  #fetchSecret(call: number): void {
    this.#port.secret().then(
      (value) => {
        if (call === this.#call) this.dispatch({ type: 'secret', value })
      },
      (error: unknown) => {
        this.#port.trouble('No client secret could be had.', error)
        if (call === this.#call) this.dispatch({ type: 'secret_failed' })
      },
    )
  }

  #dial(credential: string, resumeFrom: number | null): void {
    const { parley, model } = this.#port.address()
    this.#socket?.leave()
    this.#socket = new Socket({ parley, model, resumeFrom }, credential, {
      received: (event) => {
        this.dispatch({ type: 'received', event })
        this.#port.heard(event)
      },
      closed: (code) => {
        this.#socket = null
        this.dispatch({ type: 'closed', code })
      },
    })
  }

  // ---- sound ----

  async #openAudio(call: number): Promise<void> {
    const context = this.#context
    if (context === null || navigator.mediaDevices === undefined || context.audioWorklet === undefined) {
      return this.#noMicrophone(call, 'not_supported', 'This page may use no microphone: it needs https or localhost.')
    }
    try {
      await context.audioWorklet.addModule(this.#port.address().worklet)
      await context.resume()
    } catch (error) {
      return this.#noMicrophone(call, 'not_supported', error)
    }
    if (call !== this.#call || context !== this.#context) return
    this.#speaker = new Speaker(context, {
      sounding: () => this.dispatch({ type: 'sounding' }),
      quiet: () => this.dispatch({ type: 'quiet' }),
      level: (level) => this.#port.level('assistant', level),
      wasCut: (heard) => this.dispatch({ type: 'was_cut', heard }),
    })
    await this.#openMicrophone(call)
  }

  async #openMicrophone(call: number): Promise<void> {
    const context = this.#context
    if (context === null) return
    try {
      const opened = await Microphone.open(context, this.#deviceId, {
        captured: (audio, level) => {
          this.#port.level('user', level)
          this.dispatch({ type: 'captured', audio })
        },
        lost: () => this.dispatch({ type: 'microphone_failed', why: 'missing' }),
      })
      if (call !== this.#call || context !== this.#context) return opened.close()
      this.#microphone?.close()
      this.#microphone = opened
      const { state } = this
      if (state.phase !== 'resting') opened.mute(state.talk.isMuted)
      this.dispatch({ type: 'microphone_ready' })
    } catch (error) {
      this.#noMicrophone(call, whyNot(error), error)
    }
  }

  #noMicrophone(call: number, why: NoMicrophone, cause: unknown): void {
    this.#port.trouble('No microphone could be had.', cause)
    if (call === this.#call) this.dispatch({ type: 'microphone_failed', why })
  }

  #closeAudio(): void {
    this.#call++
    this.#microphone?.close()
    this.#speaker?.close()
    void this.#context?.close()
    this.#microphone = null
    this.#speaker = null
    this.#context = null
  }
}

/** Null where there is no sound at all. */
function newContext(): AudioContext | null {
  return 'AudioContext' in globalThis ? new AudioContext({ latencyHint: 'interactive' }) : null
}
