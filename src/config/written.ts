import type { z } from 'zod'
import type { LimitOverrides } from '../limits/accounts.ts'
import type { AccountLimits } from '../limits/limits.ts'
import { dollars } from '../meter/decimal.ts'
import type { NanoUsd } from '../units.ts'
import type { PlanConfig } from './config.ts'
import type { plan } from './schema.ts'

type PlanInput = z.input<typeof plan>

/** A plan as it could stand in the policy file, with every default said: the inverse of `toPlan`. */
export function writtenPlan(value: PlanConfig) {
  const { durationWarnings, idle, wrapUp, ...session } = value.session
  return {
    session: {
      ...session,
      warnings: [...durationWarnings],
      idle: idle === null ? null : { ...idle, nudge: idle.nudge === null ? null : { ...idle.nudge } },
      wrapUp: wrapUp === null ? null : { ...wrapUp },
    },
    maxOutputTokens: value.ceilings.maxOutputTokens,
    tools: value.ceilings.tools,
    locked: [...value.ceilings.locked],
    models: value.models === null ? null : [...value.models],
    limits: {
      session: writtenLimits(value.limits.session, ['tokensPerMinute', 'budget']),
      user: writtenLimits(value.limits.user, SHARED),
      tenant: writtenLimits(value.limits.tenant, SHARED),
    },
    throttle: { ...value.throttle },
    budgetWarnings: [...value.budgetWarnings],
  } satisfies PlanInput
}

/** A tenant's own limits as they could stand in the policy file. */
export function writtenOverrides(own: LimitOverrides): Record<string, Record<string, number | string | null>> {
  return Object.fromEntries(
    Object.entries(own).map(([scope, limits]) => [scope, writtenLimits(limits, [...SHARED, 'budget'])]),
  )
}

const SHARED = ['sessions', 'startsPerMinute', 'tokensPerMinute', 'perDay', 'perMonth'] as const
const MONEY: ReadonlySet<string> = new Set(['budget', 'perDay', 'perMonth'] satisfies (keyof AccountLimits)[])

function writtenLimits(
  limits: Partial<AccountLimits>,
  names: readonly (keyof AccountLimits)[],
): Record<string, number | string | null> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = limits[name]
      if (value === undefined) return []
      return [[name, value !== null && MONEY.has(name) ? `$${dollars(value as NanoUsd)}` : value]]
    }),
  )
}
