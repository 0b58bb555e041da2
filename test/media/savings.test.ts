import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answerKept, nobodySpoke, savingsOf } from '../../src/media/savings.ts'
import { cost } from '../../src/meter/price.ts'
import { NOTHING } from '../../src/meter/usage.ts'
import { ms, nanoUsd, tokens } from '../../src/units.ts'
import { rowOf, used } from '../support/prices.ts'

const whisper = rowOf('whisper-1')
const byTokens = rowOf('gpt-4o-transcribe')
const groq = rowOf('whisper-large-v3', 'groq')
const vision = rowOf('gpt-6.1-sol')

test('M4 silence of a model sold by time: its price exactly', () => {
  const [saving, ...more] = savingsOf({ silence: ms(60_000) }, { ...NOTHING, audioMs: ms(30_000) }, whisper)
  expect(more).toEqual([])
  expect(saving).toEqual({
    ...{ kind: 'silence_removed', quantity: 60_000, unit: 'ms', paid: 0, otherwise: 6_000_000, saved: 6_000_000 },
    ...{ counterfactual: 'sent_untouched', creditedTo: 'parley', rowId: whisper.id },
  })
})

test('M4 silence of a model sold by tokens: the audio tokens it would have been, and no output', () => {
  // 600 tokens at $6 a million.
  expect(savingsOf({ silence: ms(60_000) }, used({ audio: 300 }), byTokens)).toMatchObject([{ saved: 3_600_000 }])
})

test('M4 pixels: the tokens left out at the price of what pictures cost', () => {
  // $2 a million.
  const savings = savingsOf({ pictureTokens: tokens(1_000) }, used({ text: 500 }), vision)
  expect(savings).toMatchObject([{ kind: 'pixels_removed', unit: 'tokens', quantity: 1_000, saved: 2_000_000 }])
})

test('M4 a piece below what is billed at least costs more, and that is said', () => {
  const usage = { ...NOTHING, audioMs: ms(3_000) }
  const savings = savingsOf({ silence: ms(7_000) }, usage, groq)
  const [removed, minimum] = savings
  expect(minimum).toMatchObject({ kind: 'billing_minimum', quantity: 7_000, otherwise: 0 })
  // Cut out seven seconds and billed for them all the same: nothing was saved.
  expect((removed?.saved ?? 0) + (minimum?.saved ?? 0)).toBeCloseTo(0, -1)
})

test('M4 nothing left out, nothing said', () => {
  expect(savingsOf({}, used({ audio: 10 }), byTokens)).toEqual([])
})

test('M4 a recording in which nobody speaks would have been one request', () => {
  expect(nobodySpoke(ms(3_000), groq).saved).toBe(cost({ ...NOTHING, audioMs: ms(3_000) }, groq).nano)
})

test('M4 a kept answer saves what it cost', () => {
  expect(answerKept(nanoUsd(77), 'row')).toMatchObject({ quantity: 1, unit: 'answers', paid: 0, saved: 77 })
})

test('M4 what is said to be saved is what the original would have cost more, to a nano-dollar a line', () => {
  const row = rowOf('gpt-transcribe')
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_600_000 }), fc.integer({ min: 0, max: 3_600_000 }), (kept, silence) => {
      const usage = { ...NOTHING, audioMs: ms(kept) }
      const whole = { ...NOTHING, audioMs: ms(kept + silence) }
      const said = savingsOf({ silence: ms(silence) }, usage, row).reduce((sum, { saved }) => sum + saved, 0)
      const is = cost(whole, row).nano - cost(usage, row).nano
      expect(Math.abs(said - is)).toBeLessThanOrEqual(1)
    }),
  )
})
