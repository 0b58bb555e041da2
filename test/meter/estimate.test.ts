import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  added,
  answered,
  appended,
  type Conversation,
  cleared,
  committed,
  EMPTY,
  heardTokens,
  inputWindow,
  nextInput,
  removed,
  spokenTokens,
} from '../../src/meter/conversation.ts'
import { outputThatFits, usageAtMost, usageSoFar } from '../../src/meter/estimate.ts'
import { cost } from '../../src/meter/price.ts'
import { NO_TOKENS, sumTokens } from '../../src/meter/usage.ts'
import { ms, nanoUsd, seconds, tokens } from '../../src/units.ts'
import { count, rowOf, SHEET, used } from '../support/prices.ts'

const row = rowOf('gpt-realtime-2.1')

/** What the next response costs if it says nothing, and if it says as much as it may. */
const least = (talk: Conversation, cached: 'all' | 'none', by = row) =>
  cost(usageSoFar(talk, by, cached, NO_TOKENS), by).nano
const most = (talk: Conversation, cached: 'all' | 'none', output: number, by = row) =>
  cost(usageAtMost(talk, by, cached, tokens(output)), by).nano

describe('audio as tokens', () => {
  test('M1 a token per 100 ms heard and per 50 ms spoken, as measured live', () => {
    expect(heardTokens(ms(5_850), row)).toBe(59) // 58 were measured: an estimate counts a begun token
    expect(spokenTokens(ms(7_300), row)).toBe(146)
    expect([heardTokens(seconds(60), row), spokenTokens(seconds(60), row)]).toEqual([600, 1_200])
  })

  test('M1 a model with a rate of its own counts by it', () => {
    expect(heardTokens(seconds(1), rowOf('amazon.nova-2-sonic-v1:0', 'aws', 'us'))).toBe(25)
  })
})

describe('what the next response reads', () => {
  test("M1 the provider's own example of two turns", () => {
    // pricing.md §1.2: 100 instruction tokens and 20 of audio; 20 of audio and 10 of text answer; then 25 of audio.
    const first = committed(appended(added(EMPTY, count({ text: 100 })), seconds(2)), row)
    expect(nextInput(first, row).read).toEqual(count({ text: 100, audio: 20 }))
    const answer = used({ text: 100, audio: 20 }, { text: 10, audio: 20 })
    const second = appended(answered(first, first, answer), ms(2_500))
    expect(nextInput(second, row).read).toEqual(count({ text: 110, audio: 20 + 20 + 25 }))
    expect(nextInput(second, row).resent).toEqual(count({ text: 110, audio: 40 }))
  })

  test('M1 audio in the buffer counts before it is an item, and not once it is thrown away', () => {
    const talk = appended(EMPTY, ms(1_000))
    expect(nextInput(talk, row).read).toEqual(count({ audio: 10 }))
    expect(nextInput(committed(talk, row), row)).toEqual(nextInput(talk, row))
    expect(nextInput(committed(talk, row, ms(400)), row).read).toEqual(count({ audio: 4 }))
    expect(nextInput(cleared(talk), row).read).toEqual(NO_TOKENS)
  })

  test('M1 what the user adds while the model answers is fresh for the response after it', () => {
    const before = added(EMPTY, count({ text: 50 }))
    const during = added(before, count({ text: 7 }))
    const after = answered(during, before, used({ text: 50 }, { text: 5 }))
    expect(after).toMatchObject({ history: count({ text: 55 }), fresh: count({ text: 7 }) })
  })

  test('M1 tokens whose modality was not said are part of the history too', () => {
    const usage = { ...used({ audio: 10 }, { audio: 5 }), unsplitIn: tokens(7), unsplitOut: tokens(3) }
    expect(answered(EMPTY, EMPTY, usage).history).toEqual(count({ audio: 25 }))
  })

  test('M1 an item taken out makes the next input smaller and its cache cold', () => {
    const talk = answered(EMPTY, EMPTY, used({ text: 50, audio: 30 }, { audio: 20 }))
    expect(nextInput(talk, row).cacheable).toEqual(count({ text: 50, audio: 50 }))
    const cut = removed(talk, count({ audio: 20 }))
    expect(nextInput(cut, row)).toEqual({
      read: count({ text: 50, audio: 30 }),
      resent: count({ text: 50, audio: 30 }),
      cacheable: NO_TOKENS,
    })
  })

  test('M1 no response reads more than the window, and one that is cut reads nothing from the cache', () => {
    const small = rowOf('gpt-realtime')
    expect(inputWindow(small)).toBe(28_224)
    expect(inputWindow(row)).toBe(128_000 - 32_000)
    const talk = answered(EMPTY, EMPTY, used({ text: 500, audio: 40_000 }))
    const { read, cacheable } = nextInput(added(talk, count({ text: 10 })), small)
    expect(read).toEqual(count({ text: 510, audio: 28_224 - 510 }))
    expect(cacheable).toEqual(NO_TOKENS)
  })

  test('M1 a provider that bills the context once does not bill the history again', () => {
    const nova = rowOf('amazon.nova-2-sonic-v1:0', 'aws', 'us')
    const talk = added(answered(EMPTY, EMPTY, used({ audio: 900 })), count({ audio: 25 }))
    expect(nextInput(talk, nova).read).toEqual(count({ audio: 25 }))
  })
})

describe('what the next response costs', () => {
  const talk = added(answered(EMPTY, EMPTY, used({ text: 1_000 }, { audio: 2_000 })), count({ audio: 50 }))

  test('M1 least is the context it reads, most is that and every token it may say', () => {
    expect(least(talk, 'none')).toBe(1_000 * 4_000 + 2_050 * 32_000)
    expect(most(talk, 'none', 1_000)).toBe(least(talk, 'none') + 1_000 * 64_000)
  })

  test('M1 what the cache may hold costs the cached price', () => {
    expect(least(talk, 'all')).toBe(1_000 * 400 + 2_000 * 400 + 50 * 32_000)
    expect(usageSoFar(talk, row, 'all', NO_TOKENS).estimated).toBe(true)
  })

  test("M1 without a limit of the session the model's own counts", () => {
    expect(usageAtMost(EMPTY, row, 'none', null).unsplitOut).toBe(32_000)
  })

  test('M1 the estimate of a running response grows with what it says', () => {
    const said = usageSoFar(talk, row, 'none', count({ audio: spokenTokens(seconds(2), row) }))
    expect(cost(said, row).nano).toBe(least(talk, 'none') + 40 * 64_000)
  })

  const anyCount = fc.record({ text: fc.nat(40_000), audio: fc.nat(40_000), image: fc.nat(5_000) }).map(count)
  const conversation: fc.Arbitrary<Conversation> = fc.record({
    history: anyCount,
    fresh: anyCount,
    buffered: fc.nat(100_000).map(ms),
    warm: fc.boolean(),
  })
  const sold = fc.constantFrom(
    ...SHEET.rows.filter((r) => r.prices.textIn !== undefined && r.prices.textOut !== undefined),
  )

  test('L5 the most output that fits a budget fits it, and no more than a rounding is left over', () => {
    const budget = fc.integer({ min: 0, max: 3_000_000_000 }).map(nanoUsd)
    const cached = fc.constantFrom('all' as const, 'none' as const)
    fc.assert(
      fc.property(conversation, sold, cached, budget, (talk, price, cached, money) => {
        const fits = outputThatFits(talk, price, cached, money)
        expect(Number.isSafeInteger(fits) && fits >= 0).toBe(true)
        const costs = (n: number) => most(talk, cached, n, price)
        if (fits > 0) expect(costs(fits)).toBeLessThanOrEqual(money)
        if (fits < (price.maxOut ?? 4_096)) expect(costs(fits + 2)).toBeGreaterThan(money)
      }),
      { numRuns: 1_000 },
    )
  })

  test('L5 above the long-context threshold less output fits, because it is dearer there', () => {
    const price = rowOf('gpt-5.5')
    const long = added(EMPTY, count({ text: 300_000 }))
    const read = least(long, 'none', price)
    expect(outputThatFits(long, price, 'none', nanoUsd(read + 10 * 45_000))).toBe(10)
    expect(outputThatFits(long, price, 'none', read)).toBe(0)
  })

  test('M1 an estimate reads at most the window, and least is never above most', () => {
    fc.assert(
      fc.property(conversation, sold, (talk, price) => {
        const { read, resent, cacheable } = nextInput(talk, price)
        expect(sumTokens(read)).toBeLessThanOrEqual(inputWindow(price) ?? Number.MAX_SAFE_INTEGER)
        for (const m of ['text', 'audio', 'image'] as const) {
          expect(cacheable[m] <= resent[m] && resent[m] <= read[m]).toBe(true)
        }
        expect(least(talk, 'all', price)).toBeLessThanOrEqual(least(talk, 'none', price))
        expect(least(talk, 'none', price)).toBeLessThanOrEqual(most(talk, 'none', 1_000, price))
      }),
    )
  })
})
