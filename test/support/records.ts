import fc from 'fast-check'
import type { Posting } from '../../src/ledger/ledger.ts'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { NOTHING } from '../../src/meter/usage.ts'
import { instant, nanoUsd, tokens } from '../../src/units.ts'
import { count } from './prices.ts'

/** Records as they come from a journal that booked them at once. */
export const posted = (...records: LedgerRecord[]): Posting[] => records.map((r) => ({ record: r, booked: r.at }))

export const noon = (day: string) => instant(Date.parse(`${day}T12:00:00Z`))

/** A response of acme's that costs 1,000 nano-dollars, with changes on top. */
export function record(change: Partial<LedgerRecord> = {}): LedgerRecord {
  const session = change.session ?? 'sess_1'
  const providerId = change.providerId ?? 'resp_1'
  return {
    id: `${session}:${providerId}`,
    kind: 'response',
    basis: 'usage',
    at: noon('2026-11-25'),
    tenant: 'acme',
    user: null,
    keyId: 'aaaaaaaa',
    session,
    model: 'gpt-realtime',
    provider: 'openai',
    providerModel: 'gpt-realtime',
    providerId,
    status: 'completed',
    usage: { ...NOTHING, in: count({ text: 10, audio: 20 }), cached: count({ text: 4 }), out: count({ audio: 30 }) },
    cost: nanoUsd(1_000),
    priceRow: 'openai/gpt-realtime',
    estimated: false,
    weighted: tokens(77),
    savings: [],
    ...change,
  }
}

export const silence = {
  kind: 'silence_not_sent',
  quantity: 1_500,
  unit: 'ms',
  paid: nanoUsd(0),
  otherwise: nanoUsd(480),
  saved: nanoUsd(480),
  counterfactual: 'silence_committed_as_audio',
  creditedTo: 'parley',
  rowId: 'openai/gpt-realtime',
} as const

/** What brokers may book in any order: truths, estimates with and without their correction, some of them several times. */
export const traffic: fc.Arbitrary<LedgerRecord[]> = fc
  .array(
    fc.record({
      session: fc.integer({ min: 1, max: 6 }),
      user: fc.constantFrom(null, 'ann', 'bob', '=1+1'),
      tenant: fc.constantFrom('acme', 'zenith'),
      model: fc.constantFrom('gpt-realtime', 'gpt-transcribe'),
      cost: fc.integer({ min: 0, max: 9_000_000_000 }),
      guess: fc.integer({ min: 0, max: 9_000_000_000 }),
      audio: fc.integer({ min: 0, max: 100_000 }),
      at: fc.integer({ min: Date.parse('2026-10-30'), max: Date.parse('2026-12-02') }),
      shape: fc.constantFrom('usage', 'estimate', 'corrected'),
      saves: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((things) =>
    things.flatMap(({ session, cost, guess, audio, at, shape, saves, ...who }, i) => {
      const usage = { ...NOTHING, in: count({ audio }), out: count({ text: i }) }
      const base = { ...who, session: `sess_${session}`, providerId: `resp_${i}`, at: instant(at), usage }
      const savings = saves ? [silence] : []
      if (shape === 'usage') return [record({ ...base, cost: nanoUsd(cost), savings })]
      const estimate = record({ ...base, basis: 'estimate', cost: nanoUsd(guess), estimated: true, savings })
      const difference = { ...base, usage: NOTHING, cost: nanoUsd(cost - guess), weighted: tokens(0) }
      return shape === 'estimate' ? [estimate] : [estimate, record({ ...difference, basis: 'correction' })]
    }),
  )
