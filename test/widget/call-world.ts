import { nextDeadline, transition } from '../../src/widget/call.ts'
import type { CallEvent, CallState, ClientEvent, Effect } from '../../src/widget/call-state.ts'
import type { ServerEvent } from '../../src/widget/server-events.ts'

/** A call and what it has asked for, on a clock that the test moves. */
export class CallWorld {
  state: CallState = { phase: 'resting' }
  now = 1_000_000
  effects: Effect[] = []

  /** What this event brings about. */
  do(event: CallEvent): readonly Effect[] {
    const { state, effects } = transition(this.state, event, this.now)
    this.state = state
    this.effects.push(...effects)
    return effects
  }

  hear(event: ServerEvent | ({ type: string } & Record<string, unknown>)): readonly Effect[] {
    return this.do({ type: 'received', event: event as ServerEvent })
  }

  /** Goes to the next deadlines, as a timer would, until `until`; says what they brought about. */
  pass(ms: number): readonly Effect[] {
    const until = this.now + ms
    const effects: Effect[] = []
    for (;;) {
      const at = nextDeadline(this.state)
      if (at === null || at > until) break
      this.now = Math.max(this.now, at)
      effects.push(...this.do({ type: 'deadline' }))
    }
    this.now = until
    return effects
  }

  /** From nothing to a session. */
  connect({ isSpoken = true, token = 'prt_a' as string | null } = {}): this {
    this.do({ type: 'start', isSpoken })
    this.do({ type: 'secret', value: 'ek_1' })
    if (isSpoken) this.do({ type: 'microphone_ready' })
    this.hear({ type: 'session.created', session: {} })
    this.hear(introduction({ resume_token: token }))
    this.effects = []
    return this
  }

  /** An answer that is being made, with `ms` of sound so far. */
  answer(itemId: string, ms: number, text = ''): this {
    this.hear({ type: 'response.created', response: { id: `resp_${itemId}` } })
    this.hear({ type: 'response.output_audio.delta', response_id: 'r', item_id: itemId, delta: sound(ms) })
    if (text !== '') this.hear({ type: 'response.output_audio_transcript.delta', item_id: itemId, delta: text })
    this.do({ type: 'sounding' })
    return this
  }

  get live() {
    if (this.state.phase !== 'live') throw new Error(`not live: ${this.state.phase}`)
    return this.state
  }
}

export function introduction(changes: Record<string, unknown> = {}) {
  return {
    type: 'parley.session',
    session_id: 's',
    resumed: false,
    resume_token: 'prt_a',
    resume_window_ms: 30_000,
    seq: 1,
    ends_at_ms: 1,
    remaining_ms: 600_000,
    idle_limit_ms: 60_000,
    ...changes,
  }
}

/** Base64 of so much sound. */
export const sound = (ms: number) => Buffer.alloc(ms * 48, 1).toString('base64')

/** Events among effects that go to the server. */
export const sent = (effects: readonly Effect[]): ClientEvent[] =>
  effects.flatMap((effect) => (effect.type === 'send' ? [effect.event] : []))
