import { CallRunner } from './call-runner.ts'
import type { CallState, ClientEvent } from './call-state.ts'
import { type EndCause, type NextStep, OUTCOMES } from './endings.ts'
import { Face } from './face.ts'
import { lookOf } from './look.ts'
import { microphones } from './microphone.ts'
import { pageNow } from './page-clock.ts'
import { fetchSecret, type SecretAnswer, secretOf } from './secret.ts'
import type { ServerEvent } from './server-events.ts'
import { type StringChanges, type Strings, withChanges } from './strings.ts'
import type { Line } from './transcript.ts'

/** What the widget tells its page, by the names of its events. */
export interface ParleyVoiceEventMap {
  /** The phase has changed. */
  'parley-state': CustomEvent<{ phase: CallState['phase']; before: CallState['phase'] }>
  /** A line of the transcript is complete. */
  'parley-line': CustomEvent<Line>
  /** Something was bought: what the conversation costs by now, nano-dollars. */
  'parley-cost': CustomEvent<{ costNanoUsd: number }>
  'parley-end': CustomEvent<{ cause: EndCause; next: NextStep }>
  /** Every event of the server, as it came; for tools, above all. */
  'parley-event': CustomEvent<ServerEvent>
  /** Something that whoever maintains the page should know: a sentence and its cause. */
  'parley-trouble': CustomEvent<{ message: string; cause: unknown }>
}

/** How often clocks on display are set, ms. */
const TICK_MS = 250
const WATCHED = ['heading', 'lang', 'hide-cost', 'hide-time', 'hide-transcript'] as const

/**
 * `<parley-voice>`: a voice conversation through Parley.
 *
 * Attributes: `secret-url` (where the page's backend hands out client secrets), `parley-url`, `model`, `theme`
 * (light, dark), `heading`, `lang`, `hide-cost`, `hide-time`, `hide-transcript`, `worklet-url`.
 */
export class ParleyVoice extends HTMLElement {
  static readonly observedAttributes = WATCHED
  /** Where the script came from, which is a Parley unless `parley-url` says otherwise. */
  static home = ''
  /** The audio worklet's file, unless `worklet-url` names another. */
  static worklet = ''

  /** Gives a client secret, in place of `secret-url`. */
  secret: (() => Promise<SecretAnswer>) | null = null
  #changes: StringChanges = {}
  #strings: Strings = withChanges({})
  readonly #face: Face
  readonly #runner: CallRunner
  #ticking: ReturnType<typeof setInterval> | undefined
  #leaving: (() => void) | null = null

  constructor() {
    super()
    const root = this.attachShadow({ mode: 'open' })
    this.#runner = new CallRunner({
      address: () => this.#address(),
      secret: () => this.#secret(),
      changed: (state, before) => this.#changed(state, before),
      level: (who, level) => this.#face.meter.push(who, level),
      heard: (event) => this.#tell('parley-event', event),
      trouble: (message, cause) => this.#tell('parley-trouble', { message, cause }),
    })
    this.#face = new Face(root, this.#strings, {
      start: (isSpoken) => this.start({ spoken: isSpoken }),
      mute: () => {
        this.muted = !this.muted
      },
      interrupt: () => this.interrupt(),
      end: () => this.end(),
      say: (text) => this.say(text),
      useMicrophone: (deviceId) => void this.#runner.useMicrophone(deviceId),
    })
  }

  connectedCallback(): void {
    this.#name()
    this.#show()
    const controller = new AbortController()
    const { signal } = controller
    this.#leaving = () => controller.abort()
    addEventListener('online', () => this.#runner.dispatch({ type: 'online' }), { signal })
    // A page that goes says so itself: the browser would only drop the line, and Parley would wait for its return.
    addEventListener('pagehide', () => this.end(), { signal })
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.#listDevices(), { signal })
  }

  disconnectedCallback(): void {
    this.#leaving?.()
    // Moved to another place it comes back in the same turn, and the conversation goes on.
    queueMicrotask(() => {
      if (!this.isConnected) this.end()
    })
  }

  attributeChangedCallback(): void {
    if (!this.isConnected) return
    this.#name()
    this.#show()
  }

  // ---- what a page can do ----

  /** Begins a conversation. Browsers ask for a press of a button before they give sound. */
  start({ spoken = true }: { spoken?: boolean } = {}): void {
    this.#runner.dispatch({ type: 'start', isSpoken: spoken })
  }

  override focus(): void {
    this.#face.focus()
  }

  end(): void {
    this.#runner.dispatch({ type: 'hang_up' })
  }

  /** A written turn; passed over where there is no conversation. */
  say(text: string): void {
    this.#runner.dispatch({ type: 'say', text })
  }

  /** The present answer stops. */
  interrupt(): void {
    this.#runner.dispatch({ type: 'interrupt' })
  }

  /** An event of the page's own to the model, such as the result of a tool. */
  send(event: ClientEvent): void {
    this.#runner.dispatch({ type: 'pass_on', event })
  }

  get muted(): boolean {
    const { state } = this.#runner
    return state.phase !== 'resting' && state.talk.isMuted
  }

  set muted(isMuted: boolean) {
    this.#runner.dispatch({ type: 'mute', isMuted })
  }

  /** Words of the page's own. */
  get strings(): StringChanges {
    return this.#changes
  }

  set strings(changes: StringChanges) {
    this.#changes = changes
    if (!this.isConnected) return
    this.#name()
    this.#show()
  }

  /** `resting`, `preparing`, `connecting`, `live`, `reconnecting` or `ended`. */
  get phase(): CallState['phase'] {
    return this.#runner.state.phase
  }

  get transcript(): readonly Line[] {
    const { state } = this.#runner
    return state.phase === 'resting' ? [] : state.talk.lines
  }

  /** What the present conversation, or the last, has cost. */
  get costNanoUsd(): number {
    const { state } = this.#runner
    return state.phase === 'resting' ? 0 : state.talk.costNanoUsd
  }

  /** Until the length cap, ms; null without a conversation. */
  get remainingMs(): number | null {
    const { state } = this.#runner
    return 'session' in state ? Math.max(0, state.session.endsAt - pageNow()) : null
  }

  /** Why the last conversation ended; null where none has. */
  get cause(): EndCause | null {
    const { state } = this.#runner
    return state.phase === 'ended' ? state.cause : null
  }

  // ---- inside ----

  #address() {
    const parley = new URL(this.getAttribute('parley-url') ?? new URL('/', ParleyVoice.home), document.baseURI)
    const worklet = this.getAttribute('worklet-url') ?? ParleyVoice.worklet
    return { parley, model: this.getAttribute('model'), worklet: new URL(worklet, document.baseURI) }
  }

  async #secret(): Promise<string> {
    if (this.secret !== null) return secretOf(await this.secret())
    const url = this.getAttribute('secret-url')
    if (url === null) throw new Error('Neither `secret-url` nor `secret` says where a client secret is to be had.')
    return fetchSecret(new URL(url, document.baseURI))
  }

  #changed(state: CallState, before: CallState): void {
    this.#show()
    this.#tick()
    if (state.phase !== before.phase) {
      this.#tell('parley-state', { phase: state.phase, before: before.phase })
      if (state.phase === 'live' && before.phase !== 'reconnecting') void this.#listDevices()
      if (state.phase === 'ended') {
        this.#face.meter.rest()
        this.#tell('parley-end', { cause: state.cause, next: OUTCOMES[state.cause].next })
      }
    }
    if (state.phase === 'resting' || before.phase === 'resting') return
    if (state.talk.costNanoUsd !== before.talk.costNanoUsd) {
      this.#tell('parley-cost', { costNanoUsd: state.talk.costNanoUsd })
    }
    if (state.talk.lines === before.talk.lines) return
    const known = new Map(before.talk.lines.map((line) => [line.id, line]))
    for (const line of state.talk.lines) {
      if (line.isDone && known.get(line.id)?.isDone !== true) this.#tell('parley-line', line)
    }
  }

  #show(): void {
    const look = lookOf(this.#runner.state, this.#strings, this.#locale, pageNow())
    this.#face.show({
      ...look,
      ...(this.hasAttribute('hide-cost') ? { cost: '' } : {}),
      ...(this.hasAttribute('hide-time') ? { time: '' } : {}),
      ...(this.hasAttribute('hide-transcript') ? { lines: [] } : {}),
    })
  }

  /** Clocks run while something on display changes with time. */
  #tick(): void {
    const { state } = this.#runner
    const isRunning = 'session' in state || (state.phase === 'ended' && (state.retryAt ?? 0) > pageNow())
    if (isRunning && this.#ticking === undefined) {
      this.#ticking = setInterval(() => {
        this.#show()
        this.#tick()
      }, TICK_MS)
    } else if (!isRunning) {
      clearInterval(this.#ticking)
      this.#ticking = undefined
    }
  }

  #name(): void {
    const heading = this.getAttribute('heading')
    this.#strings = withChanges({ ...(heading === null ? {} : { heading }), ...this.#changes })
    this.#face.name(this.#strings)
  }

  get #locale(): string | undefined {
    return this.closest('[lang]')?.getAttribute('lang') ?? undefined
  }

  async #listDevices(): Promise<void> {
    if (navigator.mediaDevices !== undefined) this.#face.showDevices(await microphones(), this.#runner.deviceId)
  }

  #tell<K extends keyof ParleyVoiceEventMap>(type: K, detail: ParleyVoiceEventMap[K]['detail']): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }))
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'parley-voice': ParleyVoice
  }
  interface HTMLElementEventMap extends ParleyVoiceEventMap {}
}
