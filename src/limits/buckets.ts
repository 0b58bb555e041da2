import type { AccountKind, AccountState } from './limits.ts'

/** A limit and how much of it is gone. */
export interface Level {
  readonly account: AccountKind
  readonly limit: 'tokens' | 'budget' | 'day' | 'month'
  /** Weighted tokens of any 60 s, or nano-dollars. */
  readonly cap: number
  /** Used and held. */
  readonly used: number
}

/** How full the token bucket and the budgets of an account are; only those that are limited. */
export function levelsOf({ kind, limits, tokensLastMinute, tokensHeld, money }: AccountState): Level[] {
  const levels: Level[] = []
  if (limits.tokensPerMinute !== null) {
    levels.push({ account: kind, limit: 'tokens', cap: limits.tokensPerMinute, used: tokensLastMinute + tokensHeld })
  }
  const caps = { budget: limits.budget, day: limits.perDay, month: limits.perMonth }
  for (const { limit, spent, held } of money) {
    const cap = caps[limit]
    if (cap !== null) levels.push({ account: kind, limit, cap, used: Math.max(0, spent) + held })
  }
  return levels
}

/** The fullest of them; null where there is none. */
export function fullest(levels: readonly Level[]): Level | null {
  const share = ({ cap, used }: Level) => (cap === 0 ? 1 : used / cap)
  return levels.reduce<Level | null>((most, each) => (most === null || share(each) > share(most) ? each : most), null)
}
