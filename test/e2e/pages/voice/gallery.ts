/** A page that shows the widget in each of its states, one at a time, as the call would bring it there. */
import { transition } from '../../../../src/widget/call.ts'
import type { CallEvent, CallState } from '../../../../src/widget/call-state.ts'
import { type EndCause, OUTCOMES } from '../../../../src/widget/endings.ts'
import { Face } from '../../../../src/widget/face.ts'
import { lookOf } from '../../../../src/widget/look.ts'
import type { ServerEvent } from '../../../../src/widget/server-events.ts'
import { ENGLISH } from '../../../../src/widget/strings.ts'

export interface Gallery {
  names: string[]
  /** Shows a state in a fresh widget. */
  show(name: string): void
}

const NOW = 1_000_000
const heard = (event: Record<string, unknown>): CallEvent => ({
  type: 'received',
  event: event as never as ServerEvent,
})

const asked: CallEvent[] = [{ type: 'start', isSpoken: true }]
const allowed: CallEvent[] = [...asked, { type: 'secret', value: 'ek_1' }]
const connecting: CallEvent[] = [...allowed, { type: 'microphone_ready' }]
const introduction = heard({
  type: 'parley.session',
  session_id: 's',
  resumed: false,
  resume_token: 'prt_a',
  resume_window_ms: 30_000,
  seq: 1,
  ends_at_ms: 1,
  remaining_ms: 872_000,
  idle_limit_ms: 60_000,
})
const live: CallEvent[] = [...connecting, introduction]
const line = (id: string, text: string) =>
  heard({ type: 'conversation.item.input_audio_transcription.completed', item_id: id, transcript: text })
const said = (id: string, text: string) =>
  heard({ type: 'response.output_audio_transcript.done', item_id: id, transcript: text })
const begun: CallEvent[] = [
  ...live,
  line('u1', 'What will the weather be like tomorrow morning?'),
  said('a1', 'Cloudy at first, with some light rain until about nine. After that it clears up, and it gets warmer.'),
  heard({ type: 'parley.usage', session_cost_nano_usd: 5_324_000 }),
]
const sound = heard({ type: 'response.output_audio.delta', response_id: 'r', item_id: 'a2', delta: 'A'.repeat(6_400) })
const speaking: CallEvent[] = [
  ...begun,
  line('u2', 'Should I take an umbrella?'),
  heard({ type: 'response.created', response: { id: 'r' } }),
  sound,
  heard({
    type: 'response.output_audio_transcript.delta',
    item_id: 'a2',
    delta: 'Yes, for the way to work I would take one',
  }),
  { type: 'sounding' },
]
const started = heard({ type: 'input_audio_buffer.speech_started', item_id: 'u3' })
const written: CallEvent[] = [
  { type: 'start', isSpoken: false },
  { type: 'secret', value: 'ek_1' },
  introduction,
  { type: 'say', text: 'Where is my order?' },
  heard({
    type: 'response.output_text.done',
    item_id: 'a1',
    text: 'It left our store this morning and will be with you on Thursday.',
  }),
]
const throttled = heard({
  type: 'parley.throttled',
  action: 'delayed',
  account: 'user',
  limit: 'tokens',
  wait_ms: 8_000,
})
const refused = heard({ type: 'parley.throttled', action: 'refused', account: 'user', limit: 'tokens', wait_ms: null })

const STORIES: Record<string, CallEvent[]> = {
  resting: [],
  preparing: asked,
  asking: allowed,
  connecting,
  listening: live,
  hearing: [...begun, started],
  thinking: [
    ...begun,
    line('u2', 'Should I take an umbrella?'),
    heard({ type: 'response.created', response: { id: 'r' } }),
  ],
  speaking,
  interrupted: [...speaking, started, { type: 'was_cut', heard: [{ itemId: 'a2', ms: 60 }] }],
  muted: [...begun, { type: 'mute', isMuted: true }],
  unheard: [...live, started, heard({ type: 'input_audio_buffer.speech_stopped', item_id: 'u3' })],
  written,
  idle: [...begun, heard({ type: 'parley.warning', limit: 'idle', remaining_ms: 10_000 })],
  ending: [...speaking, heard({ type: 'parley.warning', limit: 'length', remaining_ms: 42_000 })],
  throttled: [...begun, throttled],
  refused: [...begun, refused],
  budget: [...begun, heard({ type: 'parley.budget_warning', percent: 90 })],
  leaving: [...begun, heard({ type: 'parley.going_away', deadline_ms: 5_000 })],
  lost_microphone: [...begun, { type: 'microphone_failed', why: 'missing' }],
  reconnecting: [...speaking, { type: 'closed', code: 1006 }],
  back: [...speaking, { type: 'closed', code: 1006 }, introduction],
}

function stateOf(events: readonly CallEvent[]): CallState {
  return events.reduce((state, event) => transition(state, event, NOW).state, { phase: 'resting' } as CallState)
}

function ended(cause: EndCause): CallState {
  const state = stateOf(begun)
  if (state.phase !== 'live') throw new Error('the story does not lead to a conversation')
  const hasBegun = !/^(microphone|secret|not_|unreach|too_many|overl|misc)/.test(cause)
  const talk = hasBegun ? state.talk : { ...state.talk, lines: [], beganAt: null, costNanoUsd: 0 }
  return {
    phase: 'ended',
    talk,
    cause,
    endedAt: NOW + 84_000,
    retryAt: OUTCOMES[cause].next === 'wait' ? NOW + 12_000 : null,
  }
}

function show(name: string): void {
  const host = document.createElement('div')
  host.id = 'shown'
  document.querySelector('#shown')?.remove()
  document.querySelector('main')?.append(host)
  const nothing = () => undefined
  const listener = {
    start: nothing,
    mute: nothing,
    interrupt: nothing,
    end: nothing,
    say: nothing,
    useMicrophone: nothing,
  }
  const face = new Face(host.attachShadow({ mode: 'open' }), ENGLISH, listener)
  const cause = name.replace(/^end_/, '') as EndCause
  const state = name.startsWith('end_') ? ended(cause) : stateOf(STORIES[name] ?? [])
  face.show(lookOf(state, ENGLISH, 'en', NOW))
  face.showDevices(
    [
      { deviceId: 'a', label: 'Built-in microphone' },
      { deviceId: 'b', label: 'Headset' },
    ],
    'a',
  )
  const who = name === 'speaking' || name === 'ending' ? 'assistant' : 'user'
  const isLoud = ['hearing', 'speaking', 'ending', 'interrupted'].includes(name)
  for (let i = 0; i < 40; i++) face.meter.push(who, isLoud ? 0.02 + 0.12 * Math.abs(Math.sin(i / 3)) : 0)
}

const names = [...Object.keys(STORIES), ...Object.keys(OUTCOMES).map((cause) => `end_${cause}`)]
/** True where something is wider than the page. */
const isWide = () => document.documentElement.scrollWidth > document.documentElement.clientWidth
Object.assign(globalThis, {
  gallery: { names, show } satisfies Gallery,
  page: { isWide, root: () => document.documentElement },
})
