import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextDeadline } from '../../src/session/due.ts'
import type { SessionPolicy } from '../../src/session/policy.ts'
import { begin, type Effect, type SessionEvent, type SessionState } from '../../src/session/state.ts'
import { quietFrom } from '../../src/session/talk.ts'
import { transition } from '../../src/session/transition.ts'
import { instant, later, ms } from '../../src/units.ts'

const START = instant(5_000_000)

const id = fc.constantFrom('a', 'b', 'c')
const event: fc.Arbitrary<SessionEvent> = fc.oneof(
  fc.constantFrom<SessionEvent>(
    { type: 'upstream_opened' },
    { type: 'caller_spoke' },
    { type: 'caller_fell_silent' },
    { type: 'caller_acted' },
    { type: 'response_requested' },
    { type: 'response_refused' },
    { type: 'provider_prompted_itself' },
    { type: 'playback_cut' },
    { type: 'caller_dropped', resumable: true },
    { type: 'caller_returned' },
    { type: 'replay_full' },
    { type: 'deadline' },
  ),
  fc
    .integer({ min: 0, max: 30_000 })
    .map((length): SessionEvent => ({ type: 'audio_sent', duration: ms(length), since: START })),
  id.map((x): SessionEvent => ({ type: 'response_started', id: x })),
  id.map((x): SessionEvent => ({ type: 'response_ended', id: x })),
  id.map((x): SessionEvent => ({ type: 'tool_called', callId: x })),
  id.map((x): SessionEvent => ({ type: 'tool_answered', callId: x })),
  id.map((x): SessionEvent => ({ type: 'transcription_owed', itemId: x })),
  id.map((x): SessionEvent => ({ type: 'transcription_settled', itemId: x })),
)
const ending = fc.constantFrom<SessionEvent>(
  { type: 'upstream_failed' },
  { type: 'upstream_closed', ended: true },
  { type: 'upstream_closed', ended: false },
  { type: 'caller_hung_up' },
  { type: 'caller_dropped', resumable: false },
  { type: 'end_requested', reason: 'ended_by_operator' },
  { type: 'node_draining', by: later(START, ms(200_000)), resumable: true },
  { type: 'node_draining', by: later(START, ms(200_000)), resumable: false },
  { type: 'node_stopping' },
)
const anyEvent = fc.oneof({ weight: 30, arbitrary: event }, { weight: 1, arbitrary: ending })
const script = fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), anyEvent), { maxLength: 60 })

const rules: fc.Arbitrary<SessionPolicy> = fc.record({
  maxDuration: fc.integer({ min: 60_000, max: 400_000 }).map(ms),
  durationWarnings: fc.constantFrom([], [ms(30_000)], [ms(30_000), ms(10_000)]),
  wrapUp: fc.constantFrom(null, { before: ms(20_000), instructions: 'bye', maxOutputTokens: 100 }),
  idle: fc.constantFrom(
    null,
    { limit: ms(20_000), warnBefore: ms(5_000), nudge: null },
    { limit: ms(15_000), warnBefore: ms(0), nudge: { times: 2, instructions: '?' } },
  ),
  toolTimeout: fc.constant(ms(25_000)),
  longestUtterance: fc.constant(ms(40_000)),
  resumeWindow: fc.constantFrom(null, ms(10_000)),
  lastUsage: fc.constant(ms(10_000)),
  opening: fc.constant(ms(15_000)),
})

interface Seen {
  now: number
  before: SessionState
  event: SessionEvent
  state: SessionState
  effects: readonly Effect[]
}

/** Runs a script with every alarm rung on time, then on until the session is over. */
function run(policy: SessionPolicy, steps: readonly (readonly [number, SessionEvent])[]): Seen[] {
  const seen: Seen[] = []
  let state = begin(START)
  let now = START
  const apply = (e: SessionEvent) => {
    const before = state
    const step = transition(state, e, policy, now)
    state = step.state
    seen.push({ now, before, event: e, state, effects: step.effects })
  }
  const ringUntil = (end: number) => {
    for (;;) {
      const alarm = nextDeadline(state, policy)
      if (alarm === null || alarm > end) return
      expect(alarm).toBeGreaterThan(now)
      now = alarm
      apply({ type: 'deadline' })
    }
  }
  for (const [gap, e] of steps) {
    const when = later(now, ms(gap))
    ringUntil(when)
    now = when
    apply(e.type === 'audio_sent' ? { ...e, since: now } : e)
  }
  ringUntil(START + 10_000_000)
  return seen
}

const runs = fc.tuple(rules, script)
const check = (property: (seen: Seen[], policy: SessionPolicy) => void) =>
  fc.assert(
    fc.property(runs, ([policy, steps]) => property(run(policy, steps), policy)),
    { numRuns: 2_000 },
  )

describe('over random sequences of events', () => {
  test('S1: every session ends, for exactly one reason, and nothing comes after the end', () => {
    check((seen) => {
      const ends = seen.flatMap((s) => s.effects).filter((e) => e.type === 'ended')
      expect(ends).toHaveLength(1)
      const last = seen.findIndex((s) => s.state.phase === 'ended')
      for (const after of seen.slice(last + 1)) {
        expect(after.effects).toEqual([])
        expect(after.state).toEqual(seen[last]?.state)
      }
      const told = seen.flatMap((s) => s.effects).filter((e) => e.type === 'dismiss_caller')
      expect(new Set(told.map((e) => e.reason)).size).toBe(1)
    })
  })

  test('S1: every upstream that was opened is closed, exactly once, before the end is recorded', () => {
    check((seen) => {
      const effects = seen.flatMap((s) => s.effects).map((e) => e.type)
      expect(effects.filter((t) => t === 'close_upstream')).toHaveLength(1)
      expect(effects.indexOf('close_upstream')).toBeLessThan(effects.indexOf('ended'))
    })
  })

  test('S2: no session outlives its length cap by more than the wait for its last usage', () => {
    check((seen, policy) => {
      for (const s of seen) {
        const age = s.now - START
        if (age > policy.maxDuration) expect(['draining', 'ended']).toContain(s.state.phase)
        if (age > policy.maxDuration + policy.lastUsage) expect(s.state.phase).toBe('ended')
      }
    })
  })

  test('S3: a live session is never silent past its idle limit, and never cut before it', () => {
    check((seen, policy) => {
      if (policy.idle === null) return
      const limit = policy.idle.limit
      for (const s of seen) {
        if (s.state.phase === 'live') {
          const from = quietFrom(s.state.talk, policy)
          if (from !== null) expect(s.now - from + s.state.talk.idleSpent).toBeLessThan(limit)
        }
        const cut = s.effects.some((e) => e.type === 'dismiss_caller' && e.reason === 'idle_timeout')
        if (cut && s.before.phase === 'live') {
          const from = quietFrom(s.before.talk, policy)
          if (from !== null && s.event.type === 'deadline') {
            expect(s.now - from + s.before.talk.idleSpent).toBeGreaterThanOrEqual(limit)
          }
        }
      }
    })
  })

  test('S4: once the end is decided, every running response is cancelled', () => {
    check((seen) => {
      for (const s of seen) {
        if (s.state.phase !== 'draining' || s.before.phase === 'draining') continue
        const cancelled = s.effects.flatMap((e) => (e.type === 'cancel_responses' ? e.ids : []))
        expect(new Set(cancelled)).toEqual(s.state.talk.responses)
      }
    })
  })

  test('S5: nobody stays parked longer than the resume window', () => {
    check((seen, policy) => {
      for (const s of seen) {
        if (s.state.phase === 'parked') expect(s.now - s.state.since).toBeLessThan(policy.resumeWindow ?? 0)
      }
    })
  })

  test('S2: warnings count down, and are never given twice', () => {
    check((seen) => {
      const left = seen.flatMap((s) => s.effects).flatMap((e) => (e.type === 'warn_length' ? [e.remaining] : []))
      for (let i = 1; i < left.length; i++) expect(left[i]).toBeLessThan(left[i - 1] as number)
    })
  })
})
