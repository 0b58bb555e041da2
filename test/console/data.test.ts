import { expect, test } from 'vitest'
import { absorb, emptyLive, summed } from '../../src/console/live-store.ts'
import { idleWords, matching, momentWords } from '../../src/console/session-words.ts'
import { StreamReader } from '../../src/console/sse.ts'
import { costSeries, daysUntil, savingSeries, type UsageRow } from '../../src/console/usage.ts'
import type { LiveRow } from '../../src/wire/console.ts'

const row = (changes: Partial<LiveRow>): LiveRow => ({
  ...{ id: 'one', tenant: 'acme', user: null, model: 'gpt-realtime', served: 'gpt-realtime', kind: 'conversation' },
  ...{ plan: 'default', node: 'n', phase: 'live', activity: 'quiet', admitted_at: 0, ends_at: 9, idle_ends_at: null },
  ...{
    usage: { input_tokens: 0, output_tokens: 0, responses: 0, cost_nano_usd: 0 },
    throttled: 0,
    rate: null,
    money: null,
  },
  ...changes,
})

test('V2 events are read from a stream however it is cut', () => {
  const text = 'retry: 2000\n\nevent: tick\ndata: {"at":1}\n\n: still here\n\nevent: jobs\r\ndata: {}\r\n\r\n'
  for (let cut = 1; cut < text.length; cut++) {
    const reader = new StreamReader()
    const found = [...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))]
    expect(found).toEqual([
      { name: 'tick', data: '{"at":1}' },
      { name: 'jobs', data: '{}' },
    ])
  }
})

test('V2 what the stream tells is kept: rows come, change and go, and the server’s clock is known', () => {
  const live = emptyLive()
  const hear = (name: string, data: object) => absorb(live, { name, data: JSON.stringify(data) }, 1_000)
  expect(hear('sessions', { set: [row({ id: 'a' }), row({ id: 'b' })], gone: [] })).toBe('sessions')
  hear('sessions', { set: [row({ id: 'b', tenant: 'zenith' })], gone: ['a'] })
  expect([...live.sessions.values()].map(({ id, tenant }) => `${id} ${tenant}`)).toEqual(['b zenith'])
  hear('tick', { at: 5_000, every_ms: 2_000, silent: [], missing: [] })
  expect(live.ahead).toBe(4_000)
  expect(hear('from_the_future', {})).toBeNull()
})

test('V2 sessions are found by any of their words', () => {
  const rows = [row({ id: 'a', user: 'dana' }), row({ id: 'b', tenant: 'zenith', activity: 'answering' })]
  expect(matching(rows, 'DANA acme').map(({ id }) => id)).toEqual(['a'])
  expect(matching(rows, 'answering').map(({ id }) => id)).toEqual(['b'])
  expect(matching(rows, '')).toHaveLength(2)
})

test('V2 the idle clock says what is left, and why it stands', () => {
  expect(idleWords(row({ idle_ends_at: 31_000 }), 1_000)).toBe('0:30')
  expect(idleWords(row({ idle_ends_at: 500 }), 1_000)).toBe('now')
  expect(idleWords(row({ activity: 'answering' }), 0)).toBe('held')
  expect(idleWords(row({ phase: 'parked' }), 0)).toBe('away')
})

test('V2 a moment says what, and its numbers', () => {
  const moment = { at: 0, from: 'parley', type: 'parley.usage', note: 'response' } as const
  const numbers = { input_tokens: 1_200, output_tokens: 34, cost_nano_usd: 4_200_000 }
  expect(momentWords({ ...moment, ...numbers })).toEqual({
    what: 'Booked',
    beside: 'response · 1,200 in, 34 out · $0.0042',
  })
})

test('V2 counts of several nodes are one sum, most first', () => {
  const lists = [
    [{ code: 'a', count: 1 }],
    [
      { code: 'b', count: 5 },
      { code: 'a', count: 2 },
    ],
  ]
  expect(
    summed(
      lists,
      ({ code }) => code,
      ({ count }) => count,
    ),
  ).toEqual([
    { name: 'b', count: 5 },
    { name: 'a', count: 3 },
  ])
})

const money = (nano: number) => ({ nano, usd: '' })
const sums = { text: 0, audio: 0, image: 0, unsplit: 0 }
const used = (day: string, cost: number, saved: Record<string, number> = {}): UsageRow => ({
  ...{ day, requests: 1, tokens: { input: sums, output: sums }, cost: money(cost), estimated: { nano: 0 } },
  savings: Object.entries(saved).map(([kind, nano]) => ({
    ...({ kind, credited_to: 'parley', quantity: 1, unit: 'ms' } as const),
    saved: money(nano),
  })),
})

test('V2 days without bookings are there as nothing; the named and the others add up to all', () => {
  const days = daysUntil(Date.UTC(2026, 10, 25, 1), 3)
  expect(days).toEqual(['2026-11-23', '2026-11-24', '2026-11-25'])
  const all = [used('2026-11-23', 10), used('2026-11-25', 30)]
  expect(costSeries(days, all, [{ name: 'big', rows: [used('2026-11-25', 25)] }])).toEqual([
    { name: 'big', values: [0, 0, 25] },
    { name: 'Others', values: [10, 0, 5] },
  ])
  expect(costSeries(days, all, [{ name: 'big', rows: all }])).toHaveLength(1)
})

test('V2 savings stand by kind, the largest first; what saved nothing is left out', () => {
  const days = ['2026-11-24', '2026-11-25']
  const all = [used('2026-11-24', 1, { idle_cut: 5, none: 0 }), used('2026-11-25', 1, { cached_input: 9, idle_cut: 1 })]
  expect(savingSeries(days, all)).toEqual([
    { name: 'cached_input', values: [0, 9] },
    { name: 'idle_cut', values: [5, 1] },
  ])
})
