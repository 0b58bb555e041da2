import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { admit } from '../../src/ledger/admit.ts'
import type { Posting } from '../../src/ledger/ledger.ts'
import { readRecord } from '../../src/ledger/record-text.ts'
import type { LedgerRecord } from '../../src/meter/record.ts'
import { NOTHING } from '../../src/meter/usage.ts'
import { nanoUsd } from '../../src/units.ts'
import { posted, record } from '../support/records.ts'

const truth = record({ cost: nanoUsd(1_000) })
const estimate = record({ basis: 'estimate', cost: nanoUsd(700), estimated: true })
const correction = record({ basis: 'correction', cost: nanoUsd(300), usage: NOTHING })

/** Everything that comes, one after the other. */
function arrive(postings: readonly Posting[]): Posting[] {
  const held: Posting[] = []
  for (const posting of postings) {
    const next = admit(posting, held)
    if (next !== null) held.push(next)
  }
  return held
}
const cost = (held: readonly Posting[]) => held.reduce((sum, { record }) => sum + record.cost, 0)

describe('what is booked under one id', () => {
  test('M3 an estimate with its correction, or the truth, in any order and number: what it costs is the truth', () => {
    const mixtures = fc
      .constantFrom<LedgerRecord[]>([truth], [estimate, correction], [estimate, truth])
      .chain((need) =>
        fc.tuple(
          fc.shuffledSubarray(need, { minLength: need.length }),
          fc.array(fc.constantFrom(...need), { maxLength: 6 }),
        ),
      )
    fc.assert(
      fc.property(mixtures, ([need, more]) => {
        const held = arrive(posted(...need, ...more))
        expect(cost(held)).toBe(1_000)
        expect(held.length).toBeLessThanOrEqual(2)
      }),
    )
  })

  test('M3 a truth after an estimate counts in the day of the estimate, and is no guess any more', () => {
    const [first] = posted(estimate)
    const held = arrive([{ ...(first as Posting), booked: 5 as never }, ...posted(truth)])
    expect(held[1]).toMatchObject({ booked: 5, record: { basis: 'correction', cost: 300, estimated: false } })
    expect(held[1]?.record.usage.in.audio).toBe(0)
  })
})

describe('an entry of the journal', () => {
  test('M3 a record survives being written as JSON', () => {
    expect(readRecord(JSON.stringify(truth))).toEqual(truth)
  })

  test.each([
    '',
    '{',
    'null',
    '[]',
    '{"id":"x"}',
    JSON.stringify({ ...truth, cost: 1e300 }),
    JSON.stringify({ ...truth, id: '' }),
  ])('M3 %j is no record', (json) => {
    expect(readRecord(json)).toBeNull()
  })

  test('M3 nothing makes reading throw', () => {
    for (const text of [fc.string(), fc.json()]) {
      fc.assert(
        fc.property(text, (json) => {
          expect(readRecord(json)).toBeNull()
        }),
      )
    }
  })
})
