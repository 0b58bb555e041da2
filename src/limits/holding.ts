import type { NanoUsd, Tokens } from '../units.ts'
import type { Holding } from './limits.ts'

export const NOTHING_HELD: Holding = { money: 0 as NanoUsd, tokens: 0 as Tokens }

export const plus = (a: Holding, b: Holding): Holding => ({
  money: (a.money + b.money) as NanoUsd,
  tokens: (a.tokens + b.tokens) as Tokens,
})

/** Never below nothing. */
export const minus = (a: Holding, b: Holding): Holding => ({
  money: Math.max(0, a.money - b.money) as NanoUsd,
  tokens: Math.max(0, a.tokens - b.tokens) as Tokens,
})

/** Rounded up. */
export const times = (h: Holding, percent: number): Holding => ({
  money: Math.ceil((h.money * percent) / 100) as NanoUsd,
  tokens: Math.ceil((h.tokens * percent) / 100) as Tokens,
})

export const sum = (all: readonly Holding[]): Holding => all.reduce(plus, NOTHING_HELD)

/** There is enough of both. */
export const covers = (lease: Holding, need: Holding) => lease.money >= need.money && lease.tokens >= need.tokens

/** The lesser, and the greater, of each. */
export const lesser = (a: Holding, b: Holding): Holding => minus(a, minus(a, b))
export const greater = (a: Holding, b: Holding): Holding => plus(a, minus(b, a))

export const isAnything = ({ money, tokens }: Holding) => money > 0 || tokens > 0
