import { effectiveLimits, type LimitOverrides, type ScopeLimits } from '../limits/accounts.ts'
import type { PriceSheet } from '../meter/price-sheet.ts'
import { sellersOf } from '../meter/sellers.ts'
import { weightOfOutput } from '../meter/weights.ts'
import { type Tokens, tokens } from '../units.ts'
import type { Config, PlanConfig, ProviderConfig } from './config.ts'
import type { Problem } from './relations.ts'

/** What is sold here, and for how much at any time. */
export interface OnOffer {
  readonly models: Config['models']
  readonly providers: ReadonlyMap<string, Pick<ProviderConfig, 'type'>>
  readonly sheet: PriceSheet
}

/** The smallest response of a plan, by the model of it that weighs least. */
export interface Smallest {
  readonly model: string
  readonly tokens: Tokens
  /** What is reserved for it at the least, whatever was said before: weighted tokens. */
  readonly weighted: Tokens
}

/**
 * L3: the smallest response that a plan can buy. Null where that is not certain: a model of it has no price that is known
 * here, or none of them answers.
 */
export function smallestOf(plan: PlanConfig, { models, providers, sheet }: OnOffer): Smallest | null {
  const { maxOutputTokens } = plan.ceilings
  const asked = plan.throttle.smallestResponse
  const size = tokens(maxOutputTokens === null ? asked : Math.min(asked, maxOutputTokens))
  let smallest: Smallest | null = null
  for (const name of plan.models ?? models.keys()) {
    const model = models.get(name)
    if (model?.kind !== 'conversation') continue
    for (const target of model.targets) {
      const sellers = sellersOf(target.provider, providers.get(target.provider)?.type)
      const rows = sheet.rowsFor(sellers, [target.model, name])
      if (rows.length === 0) return null
      for (const row of rows) {
        const weighted = tokens(Math.ceil((size * weightOfOutput(row)) / 1_000))
        if (smallest === null || weighted < smallest.weighted) smallest = { model: name, tokens: size, weighted }
      }
    }
  }
  return smallest
}

/** Limits of a plan that let none of its responses through, ever. `at`: the path of the plan. */
export function unanswerable(at: string, limits: ScopeLimits, smallest: Smallest | null): Problem[] {
  return (['session', 'user', 'tenant'] as const).flatMap((scope) =>
    tooLow(`${at}.limits.${scope}`, limits[scope].tokensPerMinute, smallest),
  )
}

/** The same of a tenant's own numbers. `at`: the path of the tenant. */
export function tenantUnanswerable(at: string, own: LimitOverrides, plan: PlanConfig, on: OnOffer): Problem[] {
  const smallest = smallestOf(plan, on)
  // What is wrong with the plan itself has been told there.
  const known = new Set(unanswerable(at, plan.limits, smallest).map(({ path }) => path))
  return unanswerable(at, effectiveLimits(plan.limits, own), smallest).filter(({ path }) => !known.has(path))
}

/** A limit that holds for the plans of all. */
export function tooLow(at: string, rate: Tokens | null, smallest: Smallest | null): Problem[] {
  if (rate === null || smallest === null || rate >= smallest.weighted) return []
  const { model, tokens: size, weighted } = smallest
  const why = `a response of ${size} tokens (throttle.smallestResponse) weighs ${weighted} with '${model}'`
  return [
    {
      path: `${at}.tokensPerMinute`,
      message: `lets no response through: must be at least ${weighted}, because ${why}`,
    },
  ]
}
