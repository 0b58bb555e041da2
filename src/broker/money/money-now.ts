import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { limitsSpending } from '../../limits/accounts.ts'
import { levelsOf } from '../../limits/buckets.ts'
import type { LimitStore } from '../../limits/limit-store.ts'
import { burnLine } from '../../limits/objective.ts'
import { localDay, spentOn } from '../../limits/objective-day.ts'
import type { ObjectiveState } from '../../store/objective-state.ts'
import type { Instant, NanoUsd } from '../../units.ts'
import type { Budget, MoneyNow, ObjectiveView } from '../../wire/console.ts'
import { accountsOfViewer } from './session-accounts.ts'

/** Tenants whose budgets are looked at, and those shown. */
const MOST_TENANTS = 1_000
const MOST_SHOWN = 50

export interface MoneyNowDeps {
  config(): Config
  readonly clock: Clock
  readonly limits: LimitStore
  /** By the counters that all nodes share; since midnight UTC. */
  spentToday(): Promise<NanoUsd>
  /** Where the spend objective stands. */
  objective(): ObjectiveState | null
}

/** Budgets of the installation and of tenants, and the spend objective. Rejects with FaultError `store_unavailable`. */
export async function moneyNow(deps: MoneyNowDeps): Promise<MoneyNow> {
  const config = deps.config()
  const tenants = [...config.tenants.keys()].slice(0, MOST_TENANTS)
  const accounts = [null, ...tenants.map((tenant) => ({ tenant }))]
    .flatMap((viewer) => accountsOfViewer(config, viewer))
    .filter(limitsSpending)
  const budgets = (await deps.limits.state(accounts)).flatMap((state) => {
    const account = state.kind as Budget['account']
    return levelsOf(state).map(({ limit, cap, used }): Budget => ({ account, id: state.id, limit, cap, used }))
  })
  const share = ({ cap, used }: Budget) => (cap === 0 ? 1 : used / cap)
  return {
    spent_today_nano_usd: Math.max(0, await deps.spentToday()),
    budgets: budgets.sort((a, b) => share(b) - share(a)).slice(0, MOST_SHOWN),
    objective: objectiveView(config, deps.objective(), deps.clock.now()),
  }
}

function objectiveView({ objective }: Config, state: ObjectiveState | null, now: Instant): ObjectiveView | null {
  if (objective === null) return null
  const { perDay, sharePercent, by, timeZone, steps } = objective
  const today = localDay(now, timeZone)
  const isToday = state !== null && state.meter.day === today.day
  return {
    per_day_nano_usd: perDay,
    spent_nano_usd: isToday ? spentOn(state.meter) : 0,
    line_nano_usd: burnLine(objective, today, now),
    share_percent: sharePercent,
    by_minutes: by,
    time_zone: timeZone,
    step: Math.min(steps.length, isToday ? state.step : 0),
    steps: steps.map(({ at, siblings, maxOutputTokens }) => ({
      at_percent: at,
      siblings: Object.fromEntries(siblings),
      max_output_tokens: maxOutputTokens,
    })),
  }
}
