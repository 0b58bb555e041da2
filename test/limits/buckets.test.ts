import { expect, test } from 'vitest'
import { fullest, levelsOf } from '../../src/limits/buckets.ts'
import { UNLIMITED } from '../../src/limits/limits.ts'
import { nanoUsd, tokens } from '../../src/units.ts'

const state = {
  ...({ kind: 'tenant', id: 'acme', sessions: 0, startsLastMinute: 0, tokensRefillAt: null } as const),
  tokensLastMinute: tokens(30),
  tokensHeld: tokens(20),
  money: [
    { limit: 'day', spent: nanoUsd(70), held: nanoUsd(5) },
    { limit: 'month', spent: nanoUsd(70), held: nanoUsd(5) },
  ] as const,
}

test('V2 what is held counts as used; what is not limited has no level', () => {
  const limits = { ...UNLIMITED, tokensPerMinute: tokens(100), perDay: nanoUsd(100) }
  expect(levelsOf({ ...state, limits })).toEqual([
    { account: 'tenant', limit: 'tokens', cap: 100, used: 50 },
    { account: 'tenant', limit: 'day', cap: 100, used: 75 },
  ])
  expect(levelsOf({ ...state, limits: UNLIMITED })).toEqual([])
})

test('V2 the fullest is the one with the largest share; a limit that allows nothing is full', () => {
  const level = (cap: number, used: number) => ({ account: 'user', limit: 'day', cap, used }) as const
  expect(fullest([])).toBeNull()
  expect(fullest([level(100, 50), level(10, 9), level(1_000, 100)])).toEqual(level(10, 9))
  expect(fullest([level(100, 99), level(0, 0)])).toEqual(level(0, 0))
})
