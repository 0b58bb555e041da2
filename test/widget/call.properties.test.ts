import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextDeadline, transition } from '../../src/widget/call.ts'
import type { CallEvent, CallState } from '../../src/widget/call-state.ts'
import type { ServerEvent } from '../../src/widget/server-events.ts'
import { introduction, sound } from './call-world.ts'

const item = fc.constantFrom('item_1', 'item_2', 'item_3')
const server: fc.Arbitrary<ServerEvent> = fc.oneof(
  fc.constant(introduction()),
  fc.constant({ type: 'session.created', session: {} }),
  fc.record({ type: fc.constant('input_audio_buffer.speech_started'), item_id: item }),
  fc.record({ type: fc.constant('input_audio_buffer.speech_stopped'), item_id: item }),
  fc.record({ type: fc.constant('response.created'), response: fc.constant({ id: 'r' }) }),
  fc.record({ type: fc.constant('response.output_audio.delta'), item_id: item, delta: fc.constant(sound(20)) }),
  fc.record({ type: fc.constant('response.output_audio_transcript.delta'), item_id: item, delta: fc.string() }),
  fc.record({ type: fc.constant('response.done'), response: fc.constant({ id: 'r', status: 'completed' }) }),
  fc.record({
    type: fc.constant('parley.warning'),
    limit: fc.constantFrom('idle', 'length'),
    remaining_ms: fc.nat(9_999),
  }),
  fc.record({ type: fc.constant('parley.gap'), from: fc.constant(1), to: fc.nat(99), items: fc.constant([]) }),
  fc.record({ type: fc.constant('error'), error: fc.constant({ code: 'x' }) }),
  fc.record({ type: fc.string() }),
) as fc.Arbitrary<never>
const event: fc.Arbitrary<CallEvent> = fc.oneof(
  { weight: 6, arbitrary: server.map((one): CallEvent => ({ type: 'received', event: one })) },
  fc.boolean().map((isSpoken): CallEvent => ({ type: 'start', isSpoken })),
  fc.constant<CallEvent>({ type: 'secret', value: 'ek_1' }),
  fc.constant<CallEvent>({ type: 'secret_failed' }),
  fc.constant<CallEvent>({ type: 'microphone_ready' }),
  fc.constantFrom('denied', 'missing', 'busy', 'not_supported').map(
    (why): CallEvent => ({
      type: 'microphone_failed',
      why: why as 'denied',
    }),
  ),
  fc
    .constantFrom(1000, 1001, 1006, 1013, 4001, 4012, 4100, 4200, 4299, 4999)
    .map((code): CallEvent => ({ type: 'closed', code })),
  fc.constant<CallEvent>({ type: 'captured', audio: 'AAAA' }),
  fc.constantFrom<CallEvent>({ type: 'sounding' }, { type: 'quiet' }, { type: 'interrupt' }, { type: 'online' }),
  fc.record({ itemId: item, ms: fc.nat(99) }).map((one): CallEvent => ({ type: 'was_cut', heard: [one] })),
  fc.string().map((text): CallEvent => ({ type: 'say', text })),
  fc.boolean().map((isMuted): CallEvent => ({ type: 'mute', isMuted })),
  fc.constantFrom<CallEvent>({ type: 'hang_up' }, { type: 'deadline' }, { type: 'deadline' }),
)

/** A likely way in, then anything at all. */
const way: CallEvent[] = [
  { type: 'start', isSpoken: true },
  { type: 'secret', value: 'ek_1' },
  { type: 'microphone_ready' },
  { type: 'received', event: introduction() as never },
]
const story = fc.tuple(
  fc.constantFrom(0, 1, 2, 3, 4),
  fc.array(fc.tuple(event, fc.integer({ min: 0, max: 4_000 })), { maxLength: 80 }),
)

test('V1 whatever happens in whatever order: one line at a time, everything let go, no deadline forgotten', () => {
  fc.assert(
    fc.property(story, ([known, events]) => {
      let state = { phase: 'resting' } as CallState
      let now = 0
      let hasLine = false
      let hasAudio = false
      const take = (one: CallEvent) => {
        const step = transition(state, one, now)
        state = step.state
        if (one.type === 'closed') hasLine = false
        for (const effect of step.effects) {
          if (effect.type === 'dial') {
            expect(hasLine, 'a second line').toBe(false)
            hasLine = true
          }
          if (effect.type === 'leave_line' || effect.type === 'hang_up') hasLine = false
          if (effect.type === 'open_microphone') hasAudio = true
          if (effect.type === 'close_audio') hasAudio = false
        }
      }
      for (const [next, later] of [...way.slice(0, known).map((one) => [one, 0] as const), ...events]) {
        now += later
        const before = state
        take(next)
        if (state.phase === 'ended' && before.phase !== 'ended') {
          expect(hasLine).toBe(false)
          expect(hasAudio).toBe(false)
        }
        // A deadline that has passed is dealt with by the event that it calls for, within a few steps.
        for (let i = 0; i < 4 && (nextDeadline(state) ?? now + 1) <= now; i++) {
          take({ type: 'deadline' })
        }
        expect(nextDeadline(state) ?? now + 1, state.phase).toBeGreaterThan(now)
        if ('talk' in state) {
          expect(state.talk.unsent.length).toBeLessThanOrEqual(375)
          expect(state.talk.lines.length).toBeLessThanOrEqual(200)
        }
        if ('session' in state) for (const id of state.session.sounding) expect(state.session.cut).not.toContain(id)
      }
    }),
    { numRuns: 2_000 },
  )
})
