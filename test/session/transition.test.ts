import { describe, expect, test } from 'vitest'
import { nextDeadline } from '../../src/session/due.ts'
import type { SessionPolicy } from '../../src/session/policy.ts'
import { begin, type Effect, type SessionEvent, type SessionState } from '../../src/session/state.ts'
import { transition } from '../../src/session/transition.ts'
import { instant, ms, seconds } from '../../src/units.ts'
import { policy } from '../support/policies.ts'

const at = (s: number) => instant(1_000_000 + s * 1_000)

/** Plays events at given seconds, ringing every alarm in between, and keeps what came out and when. */
function play(rules: SessionPolicy, script: readonly (readonly [number, SessionEvent])[], until: number) {
  let state: SessionState = begin(at(0))
  const told: { s: number; effect: Effect }[] = []
  const step = (event: SessionEvent, now: ReturnType<typeof at>) => {
    const next = transition(state, event, rules, now)
    state = next.state
    for (const effect of next.effects) told.push({ s: (now - at(0)) / 1_000, effect })
  }
  const ringUntil = (end: ReturnType<typeof at>) => {
    for (;;) {
      const alarm = nextDeadline(state, rules)
      if (alarm === null || alarm > end) return
      step({ type: 'deadline' }, alarm)
    }
  }
  for (const [s, event] of script) {
    ringUntil(at(s))
    step(event, at(s))
  }
  ringUntil(at(until))
  return { state, told, of: (type: Effect['type']) => told.filter((t) => t.effect.type === type).map((t) => t.s) }
}

const opened = [0, { type: 'upstream_opened' }] as const

describe('length', () => {
  test('S2: at maxDuration from admission the session ends, after its warnings, whatever is going on', () => {
    const busy: [number, SessionEvent][] = []
    for (let s = 5; s < 700; s += 5) busy.push([s, { type: 'caller_acted' }])
    const run = play(policy, [opened, ...busy], 700)
    expect(run.state).toEqual({ phase: 'ended', reason: 'session_expired' })
    expect(run.of('warn_length')).toEqual([540, 590])
    expect(run.of('ended')).toEqual([600])
  })

  test('S2: parking does not stop the length clock', () => {
    const long = { ...policy, resumeWindow: seconds(400) }
    const run = play(
      long,
      [opened, [20, { type: 'caller_acted' }], [40, { type: 'caller_dropped', resumable: true }]],
      700,
    )
    expect(run.state).toEqual({ phase: 'ended', reason: 'caller_lost' })
    const longer = { ...policy, resumeWindow: seconds(4_000) }
    expect(play(longer, [opened, [20, { type: 'caller_dropped', resumable: true }]], 700).state).toEqual({
      phase: 'ended',
      reason: 'session_expired',
    })
  })

  test('S2: the goodbye is asked for at its time, once, and waits for a response that is running', () => {
    const polite = {
      ...policy,
      idle: null,
      wrapUp: { before: seconds(30), instructions: 'Say goodbye.', maxOutputTokens: 200 },
    }
    expect(play(polite, [opened], 700).of('ask_model')).toEqual([570])
    const running = play(
      polite,
      [opened, [560, { type: 'response_started', id: 'a' }], [580, { type: 'response_ended', id: 'a' }]],
      700,
    )
    expect(running.of('ask_model')).toEqual([580])
  })
})

describe('idle', () => {
  test('S3: a caller who stays silent for the idle limit is warned, then told, then the upstream is closed', () => {
    const run = play(policy, [opened], 60)
    expect(run.told.map((t) => [t.s, t.effect.type])).toEqual([
      [20, 'warn_idle'],
      [30, 'dismiss_caller'],
      [30, 'close_upstream'],
      [30, 'ended'],
    ])
    expect(run.state).toEqual({ phase: 'ended', reason: 'idle_timeout' })
  })

  test('S3: a caller who is listening to a 40 s answer that arrived in 5 s is not idle', () => {
    const run = play(
      policy,
      [
        opened,
        [1, { type: 'response_started', id: 'a' }],
        [3, { type: 'audio_sent', duration: seconds(20), since: at(3) }],
        [6, { type: 'audio_sent', duration: seconds(20), since: at(6) }],
        [6, { type: 'response_ended', id: 'a' }],
      ],
      200,
    )
    expect(run.of('ended')).toEqual([43 + 30])
  })

  test('S3: barge-in ends the playback that held the clock', () => {
    const run = play(
      policy,
      [
        opened,
        [1, { type: 'audio_sent', duration: seconds(40), since: at(1) }],
        [5, { type: 'caller_spoke' }],
        [5, { type: 'playback_cut' }],
        [7, { type: 'caller_fell_silent' }],
      ],
      200,
    )
    expect(run.of('ended')).toEqual([37])
  })

  test('S3: a tool call holds the clock until it is answered, at most for its own limit', () => {
    const called = [2, { type: 'tool_called', callId: 'c' }] as const
    expect(play(policy, [opened, called, [52, { type: 'tool_answered', callId: 'c' }]], 300).of('ended')).toEqual([82])
    expect(play(policy, [opened, called], 300).of('ended')).toEqual([92])
  })

  test('S3: an utterance that never ends holds the clock for its longest, not for ever', () => {
    expect(play(policy, [opened, [10, { type: 'caller_spoke' }]], 600).of('ended')).toEqual([160])
  })

  test('S3: a response holds the clock for as long as it takes', () => {
    const run = play(
      policy,
      [
        opened,
        [1, { type: 'response_requested' }],
        [2, { type: 'response_started', id: 'a' }],
        [90, { type: 'response_ended', id: 'a' }],
      ],
      300,
    )
    expect(run.of('ended')).toEqual([120])
  })

  test('S3: a response that the provider asked of itself does not forgive silence', () => {
    const script: [number, SessionEvent][] = []
    for (let s = 10; s < 100; s += 12) {
      script.push([s, { type: 'provider_prompted_itself' }], [s, { type: 'response_started', id: `r${s}` }])
      script.push([s + 2, { type: 'response_ended', id: `r${s}` }])
    }
    expect(play(policy, [opened, ...script], 200).of('ended')).toEqual([34])
  })

  test('S3: an idle warning is taken back when the caller speaks', () => {
    const run = play(policy, [opened, [25, { type: 'caller_acted' }]], 50)
    expect(run.told.slice(0, 2).map((t) => [t.s, t.effect.type])).toEqual([
      [20, 'warn_idle'],
      [25, 'idle_over'],
    ])
  })

  test('S3: the model asks whether anybody is there at most n times, then the cut', () => {
    const patient = {
      ...policy,
      idle: { limit: seconds(30), warnBefore: seconds(10), nudge: { times: 2, instructions: '?' } },
    }
    const answered: [number, SessionEvent][] = [
      [31, { type: 'response_started', id: 'n1' }],
      [33, { type: 'response_ended', id: 'n1' }],
      [64, { type: 'response_started', id: 'n2' }],
      [66, { type: 'response_ended', id: 'n2' }],
    ]
    const run = play(patient, [opened, ...answered], 300)
    expect(run.of('ask_model')).toEqual([30, 63])
    expect(run.of('warn_idle')).toEqual([86])
    expect(run.of('ended')).toEqual([96])
  })
})

describe('a caller who goes', () => {
  test('S4: the running response is cancelled at once and its usage awaited, at most 10 s', () => {
    const gone: [number, SessionEvent][] = [
      [1, { type: 'response_started', id: 'a' }],
      [2, { type: 'caller_dropped', resumable: false }],
    ]
    const paid = play(policy, [opened, ...gone, [3, { type: 'response_ended', id: 'a' }]], 60)
    expect(paid.told.map((t) => [t.s, t.effect.type])).toEqual([
      [2, 'dismiss_caller'],
      [2, 'cancel_responses'],
      [3, 'dismiss_caller'],
      [3, 'close_upstream'],
      [3, 'ended'],
    ])
    expect(play(policy, [opened, ...gone], 60).of('ended')).toEqual([12])
  })

  test('S4: a response that starts after the caller has gone is cancelled too', () => {
    const run = play(
      policy,
      [
        opened,
        [1, { type: 'response_requested' }],
        [1, { type: 'caller_hung_up' }],
        [2, { type: 'response_started', id: 'late' }],
        [3, { type: 'response_ended', id: 'late' }],
      ],
      60,
    )
    expect(run.told.find((t) => t.effect.type === 'cancel_responses')).toEqual({
      s: 2,
      effect: { type: 'cancel_responses', ids: ['late'] },
    })
    expect(run.of('ended')).toEqual([3])
  })

  test('S5: a caller who comes back within the window goes on; the idle clock paused meanwhile', () => {
    const run = play(
      policy,
      [opened, [10, { type: 'caller_dropped', resumable: true }], [35, { type: 'caller_returned' }]],
      100,
    )
    expect(run.of('parked')).toEqual([10])
    expect(run.of('returned')).toEqual([35])
    expect(run.of('ended')).toEqual([55])
  })

  test('S5: nobody back in time ends the session', () => {
    const run = play(policy, [opened, [10, { type: 'caller_dropped', resumable: true }]], 100)
    expect(run.of('ended')).toEqual([40])
    expect(run.state).toEqual({ phase: 'ended', reason: 'caller_lost' })
  })

  test('S5: a parked session whose replay is full stops its response', () => {
    const run = play(
      policy,
      [
        opened,
        [1, { type: 'response_started', id: 'a' }],
        [2, { type: 'caller_dropped', resumable: true }],
        [3, { type: 'replay_full' }],
      ],
      4,
    )
    expect(run.of('cancel_responses')).toEqual([3])
  })
})

describe('a node that drains', () => {
  test('S7: a session that can resume leaves at the next turn boundary', () => {
    const run = play(
      policy,
      [
        opened,
        [1, { type: 'response_started', id: 'a' }],
        [2, { type: 'audio_sent', duration: seconds(8), since: at(2) }],
        [3, { type: 'node_draining', by: at(60), resumable: true }],
        [4, { type: 'response_ended', id: 'a' }],
      ],
      100,
    )
    expect(run.of('announce_drain')).toEqual([3])
    expect(run.of('ended')).toEqual([10])
    expect(run.state).toEqual({ phase: 'ended', reason: 'going_away' })
  })

  test('S7: a session that cannot resume may go on until the deadline', () => {
    const patient = { ...policy, idle: null }
    expect(
      play(patient, [opened, [3, { type: 'node_draining', by: at(60), resumable: false }]], 100).of('ended'),
    ).toEqual([60])
  })
})

test('an upstream that never opens ends the session in time, and the caller is told', () => {
  const run = play(policy, [], 60)
  expect(run.state).toEqual({ phase: 'ended', reason: 'upstream_unavailable' })
  expect(run.of('ended')).toEqual([15])
})

test('S3: both sides of the idle instant', () => {
  const live = transition(begin(at(0)), { type: 'upstream_opened' }, policy, at(0)).state
  const just = instant(at(30) - 1)
  expect(transition(live, { type: 'deadline' }, policy, just).state.phase).toBe('live')
  expect(transition(live, { type: 'deadline' }, policy, at(30)).state.phase).toBe('ended')
  expect(ms(30_000)).toBe(policy.idle?.limit)
})
