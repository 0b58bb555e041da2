import fc from 'fast-check'
import { expect, test } from 'vitest'
import { accountsOfRecord, GROUPS, type Ledger, type SumsQuery } from '../../src/ledger/ledger.ts'
import { dayNumber, dayOf, LIFE, monthOf } from '../../src/ledger/period.ts'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { NOTHING } from '../../src/meter/usage.ts'
import { instant, nanoUsd, tokens } from '../../src/units.ts'
import { count } from '../support/prices.ts'
import { noon, posted, record, silence, traffic } from '../support/records.ts'

/** Every record there is, in one row. */
export const ALL: SumsQuery = {
  from: instant(0),
  to: instant(Date.parse('2100-01-01')),
  tenant: null,
  user: null,
  model: null,
  session: null,
  groupBy: [],
  most: 1_000,
  after: null,
}
const total = async (ledger: Ledger) => (await ledger.sums(ALL))[0]
const everything = async (ledger: Ledger) =>
  (await ledger.list({ ...ALL, after: 0, most: 10_000 })).map((booked) => booked.record)

/** What every ledger promises. `open` makes an empty one; `reopen` opens the last one again, beside whoever has it open. */
export function ledgerContract(open: () => Promise<Ledger>, reopen: () => Promise<Ledger>): void {
  test('M3 a record comes back as it was booked, to the last unit, savings and awkward names included', async () => {
    await using ledger = await open()
    const full = record({
      user: `Zoë "'; -- = \u0007 𝕏`,
      at: instant(1_764_000_000_123),
      status: 'incomplete',
      usage: {
        ...NOTHING,
        in: count({ text: 1, audio: 2, image: 3 }),
        cached: count({ text: 1, audio: 1, image: 1 }),
        cachedUnsplit: tokens(4),
        unsplitIn: tokens(5),
        out: count({ text: 6, audio: 7, image: 8 }),
        unsplitOut: tokens(9),
        textItems: 10,
        estimated: true,
      },
      cost: nanoUsd(Number.MAX_SAFE_INTEGER),
      estimated: true,
      savings: [silence, { ...silence, kind: 'cached_input', unit: 'tokens', creditedTo: 'provider' }],
    })
    expect(await ledger.append(posted(full))).toBe(1)
    expect(await everything(ledger)).toEqual([full])
    expect((await ledger.find([full.id, 'nobody'])).map((booked) => booked.record)).toEqual([full])
  })

  test('M4 what the end of a session has saved is kept, and is no request', async () => {
    await using ledger = await open()
    const cut = { ...silence, kind: 'idle_cut', counterfactual: 'not_billed' } as const
    const saved = record({ kind: 'session', providerId: 'end', cost: nanoUsd(0), usage: NOTHING, savings: [cut] })
    expect(await ledger.append(posted(record(), saved))).toBe(2)
    expect(await total(ledger)).toMatchObject({ requests: 1, savings: [{ kind: 'idle_cut', quantity: 1_500 }] })
  })

  test('M3 what one store could not keep (NUL, half a character, parts of a millisecond) is kept by none', async () => {
    await using ledger = await open()
    await ledger.append(posted(record({ user: 'a\0b\ud800c', at: instant(1_764_000_000_000.75) })))
    expect(await everything(ledger)).toEqual([record({ user: 'a\ufffdb\ufffdc', at: instant(1_764_000_000_000) })])
  })

  test('M3 what is booked twice, in one batch or in two, is counted once', async () => {
    await using ledger = await open()
    const [a, b] = [record(), record({ providerId: 'resp_2' })]
    expect(await ledger.append(posted(a, a, b))).toBe(2)
    expect(await ledger.append(posted(b, a))).toBe(0)
    expect(await ledger.append([])).toBe(0)
    expect(await total(ledger)).toMatchObject({ requests: 2, cost: 2_000, weighted: 154 })
    expect(await ledger.spent({ kind: 'tenant', tenant: 'acme' }, LIFE)).toBe(2_000)
  })

  test('M3 a batch with something in it that is no record books nothing', async () => {
    await using ledger = await open()
    await expect(ledger.append(posted(record(), record({ providerId: 'x', cost: 0.5 as never })))).rejects.toThrow()
    expect(await total(ledger)).toMatchObject({ requests: 0, cost: 0 })
    expect(await ledger.append(posted(record()))).toBe(1)
  })

  test('M3 an estimate and its correction add up to the truth, and then nothing is a guess any more', async () => {
    await using ledger = await open()
    const estimate = record({ basis: 'estimate', cost: nanoUsd(900), estimated: true })
    await ledger.append(posted(estimate, record({ providerId: 'resp_2', cost: nanoUsd(100) })))
    expect(await total(ledger)).toMatchObject({ requests: 2, cost: 1_000, estimatedRequests: 1, estimatedCost: 900 })
    await ledger.append(
      posted(record({ basis: 'correction', cost: nanoUsd(-250), usage: NOTHING, weighted: tokens(0) })),
    )
    expect(await total(ledger)).toMatchObject({ requests: 2, cost: 750, estimatedRequests: 0, estimatedCost: 0 })
  })

  test('M3 a truth that finds an estimate is booked as the difference, and nothing follows a truth', async () => {
    await using ledger = await open()
    const estimate = record({ basis: 'estimate', cost: nanoUsd(900), estimated: true, savings: [silence] })
    const truth = record({ cost: nanoUsd(1_000), savings: [silence], at: noon('2026-12-02') })
    await ledger.append(posted(estimate))
    expect(await ledger.append(posted(truth))).toBe(1)
    expect(await ledger.append(posted(truth))).toBe(0)
    expect(await total(ledger)).toMatchObject({ requests: 1, cost: 1_000, usage: { in: truth.usage.in } })
    expect((await total(ledger))?.savings).toMatchObject([{ kind: 'silence_not_sent', saved: 480 }])
    expect(await ledger.spent({ kind: 'installation' }, dayOf(noon('2026-11-25')))).toBe(1_000)

    const other = { session: 'sess_2' }
    await ledger.append(posted(record(other)))
    expect(
      await ledger.append(posted(record({ ...other, basis: 'estimate' }), record({ ...other, basis: 'correction' }))),
    ).toBe(0)
    expect(await total(ledger)).toMatchObject({ requests: 2, cost: 2_000 })
  })

  test('M3 two writers at once with the same records book each of them once', async () => {
    await using one = await open()
    await using two = await reopen()
    expect(two.id).toBe(one.id)
    const records = Array.from({ length: 60 }, (_, i) => record({ providerId: `resp_${i}` }))
    const batches = (ledger: Ledger, order: LedgerRecord[]) =>
      Array.from({ length: 6 }, (_, i) => ledger.append(posted(...order.slice(i * 10, i * 10 + 10))))
    const fresh = await Promise.all([...batches(one, records), ...batches(two, records.toReversed())])
    expect(fresh.reduce((sum, n) => sum + n, 0)).toBe(60)
    expect(await total(two)).toMatchObject({ requests: 60, cost: 60_000 })
  })

  test('M3 what was acknowledged is there when the ledger is opened again', async () => {
    const first = await open()
    await first.append(posted(record()))
    await first[Symbol.asyncDispose]()
    await using second = await reopen()
    expect(second.id).toBe(first.id)
    expect(await everything(second)).toEqual([record()])
  })

  test('M5 sums are those of the records, whatever they are grouped by and however they are paged', async () => {
    await using ledger = await open()
    const booked: LedgerRecord[] = []
    let round = 0
    const groups = fc.subarray([...GROUPS])
    await fc.assert(
      fc.asyncProperty(traffic, groups, fc.integer({ min: 1, max: 7 }), async (records, groupBy, page) => {
        round += 1
        const mine = records.map((r) => ({ ...r, id: `${round}:${r.id}`, session: `${round}:${r.session}` }))
        booked.push(...mine)
        const shuffled = [...mine, ...mine].toSorted((a, b) => (a.usage.in.audio % 7) - (b.usage.in.audio % 7))
        expect(await ledger.append(posted(...shuffled))).toBe(mine.length)

        const rows = []
        for (let after: SumsQuery['after'] = null; ; ) {
          const more = await ledger.sums({ ...ALL, groupBy, most: page, after })
          rows.push(...more)
          after = more.at(-1)?.key ?? null
          if (more.length < page || groupBy.length === 0) break
        }
        const expected = Map.groupBy(booked, (r) => JSON.stringify(keyOf(r, groupBy)))
        if (booked.length > 0) expect(rows.length).toBe(groupBy.length === 0 ? 1 : expected.size)
        for (const row of rows) {
          const records = expected.get(JSON.stringify(row.key)) ?? []
          expect(row.cost).toBe(sum(records, (r) => r.cost))
          expect(row.requests).toBe(records.filter((r) => r.basis !== 'correction').length)
          expect(row.usage.in.audio).toBe(sum(records, (r) => r.usage.in.audio))
          expect(row.usage.out.text).toBe(sum(records, (r) => r.usage.out.text))
          expect(row.savings[0]?.saved ?? 0).toBe(sum(records, (r) => sum(r.savings, (s) => s.saved)))
          expect(row.savings[0]?.quantity ?? 0).toBe(sum(records, (r) => sum(r.savings, (s) => s.quantity)))
          const corrected = new Set(records.filter((r) => r.basis === 'correction').map((r) => r.id))
          expect(row.estimatedCost).toBe(sum(records, (r) => (r.estimated && !corrected.has(r.id) ? r.cost : 0)))
        }
      }),
      { numRuns: 25 },
    )
    for (const day of ['2026-10-31', '2026-11-01', '2026-11-15', '2026-11-30', '2026-12-01']) {
      for (const period of [dayOf(noon(day)), monthOf(noon(day)), LIFE]) {
        const within = booked.filter((r) => period.from <= r.at && r.at < period.to)
        for (const account of within.slice(0, 3).flatMap(accountsOfRecord)) {
          const name = JSON.stringify(account)
          const own = within.filter((r) => accountsOfRecord(r).some((other) => JSON.stringify(other) === name))
          expect(await ledger.spent(account, period), `${name} in ${period.name}`).toBe(sum(own, (r) => r.cost))
        }
        const users = await ledger.spenders('user', period, 100)
        for (const { account, nano } of users) expect(nano).toBe(await ledger.spent(account, period))
        expect(users.map((user) => user.nano)).toEqual(users.map((user) => user.nano).toSorted((a, b) => b - a))
      }
    }
  })

  test('L5 budgets count in the day a record was booked, reports in the day it happened', async () => {
    await using ledger = await open()
    const late = record({ at: noon('2026-11-24') })
    await ledger.append([{ record: late, booked: noon('2026-11-25') }])
    expect(await ledger.list({ ...ALL, after: 0, most: 1 })).toEqual([
      { seq: 1, record: late, booked: noon('2026-11-25') },
    ])
    expect(await ledger.spent({ kind: 'installation' }, dayOf(noon('2026-11-24')))).toBe(0)
    expect(await ledger.spent({ kind: 'installation' }, dayOf(noon('2026-11-25')))).toBe(1_000)
    const days = await ledger.sums({ ...ALL, groupBy: ['day'] })
    expect(days.map((day) => day.key)).toEqual([[dayNumber(noon('2026-11-24'))]])
  })

  test('M5 a filter keeps to its tenant, user, model, session and stretch of time', async () => {
    await using ledger = await open()
    await ledger.append(
      posted(
        record({ user: 'ann' }),
        record({ session: 'sess_2', tenant: 'zenith', user: 'ann' }),
        record({ session: 'sess_3', model: 'gpt-transcribe', at: noon('2026-11-26') }),
      ),
    )
    const cost = async (change: Partial<SumsQuery>) => (await ledger.sums({ ...ALL, ...change }))[0]?.requests
    expect(await cost({ tenant: 'acme' })).toBe(2)
    expect(await cost({ user: 'ann' })).toBe(2)
    expect(await cost({ user: 'ann', tenant: 'zenith' })).toBe(1)
    expect(await cost({ model: 'gpt-transcribe' })).toBe(1)
    expect(await cost({ session: 'sess_2' })).toBe(1)
    expect(await cost({ from: noon('2026-11-26') })).toBe(1)
    expect(await cost({ to: noon('2026-11-26') })).toBe(2)
    const listed = await ledger.list({ ...ALL, tenant: 'acme', after: 0, most: 1 })
    const rest = await ledger.list({ ...ALL, tenant: 'acme', after: listed[0]?.seq ?? 0, most: 10 })
    expect([...listed, ...rest].map(({ record }) => record.session)).toEqual(['sess_1', 'sess_3'])
  })

  test('M3 sessions heard of in a period come with all they have ever spent', async () => {
    await using ledger = await open()
    await ledger.append(
      posted(
        record({ at: noon('2026-11-24') }),
        record({ providerId: 'resp_2', at: noon('2026-11-25') }),
        record({ session: 'sess_old', at: noon('2026-11-24') }),
      ),
    )
    expect(await ledger.spenders('session', dayOf(noon('2026-11-25')), 10)).toEqual([
      { account: { kind: 'session', session: 'sess_1' }, nano: 2_000 },
    ])
  })

  test('M5 a sum past 2^53 is refused, never rounded', async () => {
    await using ledger = await open()
    const most = nanoUsd(Number.MAX_SAFE_INTEGER)
    await ledger.append(posted(record({ cost: most })))
    await ledger.append(posted(record({ providerId: 'resp_2', cost: most })))
    await expect(ledger.sums(ALL)).rejects.toThrow(RangeError)
  })
}

const sum = <T>(things: readonly T[], read: (thing: T) => number): number =>
  things.reduce((total, thing) => total + read(thing), 0)

function keyOf(r: LedgerRecord, groups: readonly string[]): (string | number)[] {
  const all = { day: dayNumber(r.at), tenant: r.tenant, user: r.user ?? '', model: r.model, session: r.session }
  return GROUPS.filter((group) => groups.includes(group)).map((group) => all[group])
}
