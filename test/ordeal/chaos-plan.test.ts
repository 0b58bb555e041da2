import { expect, test } from 'vitest'
import { chaosPlan } from '../../ordeal/chaos-plan.ts'
import { Dice } from '../../ordeal/dice.ts'
import { scriptOf } from '../../ordeal/script.ts'

const MINUTE = 60_000

test('a run can be repeated: the seed alone decides what goes wrong and what callers do', () => {
  const scripts = (seed: number) =>
    Array.from({ length: 50 }, (_, n) => scriptOf(Dice.of(seed, `caller ${n}`), ['a', 'b'], 9))
  expect(chaosPlan(7, 3, MINUTE)).toEqual(chaosPlan(7, 3, MINUTE))
  expect(scripts(7)).toEqual(scripts(7))
  expect(chaosPlan(8, 3, MINUTE)).not.toEqual(chaosPlan(7, 3, MINUTE))
  expect(scripts(8)).not.toEqual(scripts(7))
})

test('half a minute has a bit of everything, and never two kills before the first broker can be back', () => {
  for (let seed = 0; seed < 200; seed++) {
    const plan = chaosPlan(seed, 3, 45_000)
    expect(new Set(plan.map(({ kind }) => kind)).size, String(seed)).toBe(6)
    const kills = plan.filter(({ kind }) => kind.startsWith('broker')).map(({ at }) => at)
    for (const [i, at] of kills.entries()) expect(at - (kills[i - 1] ?? -7_000)).toBeGreaterThanOrEqual(7_000)
  }
})
