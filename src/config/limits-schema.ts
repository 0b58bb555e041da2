import { z } from 'zod'
import { count, duration, money, tokenCount } from './quantities.ts'

/** What one session may do. Null: no limit. */
const sessionShape = {
  tokensPerMinute: tokenCount.nullable(),
  budget: money.nullable(),
}

/** What all sessions of a user, a tenant or the installation may do together. Null: no limit. */
const sharedShape = {
  sessions: count.nullable(),
  startsPerMinute: count.nullable(),
  tokensPerMinute: tokenCount.nullable(),
  perDay: money.nullable(),
  perMonth: money.nullable(),
}

const sessionOverride = z.strictObject(sessionShape).partial()
const sharedOverride = z.strictObject(sharedShape).partial()

const sessionLimits = z.strictObject({
  tokensPerMinute: sessionShape.tokensPerMinute.prefault(null),
  budget: sessionShape.budget.prefault(null),
})
const sharedLimits = z.strictObject({
  sessions: sharedShape.sessions.prefault(null),
  startsPerMinute: sharedShape.startsPerMinute.prefault(null),
  tokensPerMinute: sharedShape.tokensPerMinute.prefault(null),
  perDay: sharedShape.perDay.prefault(null),
  perMonth: sharedShape.perMonth.prefault(null),
})

export const installationLimits = sharedLimits
  .prefault({})
  .meta({ description: 'Limits of the whole installation; days and months are UTC' })

export const planLimits = z
  .strictObject({
    session: sessionLimits.prefault({}),
    user: sharedLimits.prefault({}),
    tenant: sharedLimits.prefault({}),
  })
  .prefault({})

export const tenantLimits = z
  .strictObject({ session: sessionOverride, user: sharedOverride, tenant: sharedOverride })
  .partial()
  .meta({ description: "Single numbers in place of the plan's; null lifts the plan's limit" })

/** What a response meets that a token rate or a budget cannot afford. */
export const throttle = z
  .strictObject({
    /** Left out: 200, or the plan's maxOutputTokens where that is less. */
    smallestResponse: tokenCount.optional(),
    maxDelay: duration.prefault('10s'),
    refusalsBeforeClose: z.int().min(1).max(1_000).default(20),
    inputPace: z
      .number()
      .min(1)
      .max(1_000)
      .default(1.5)
      .meta({ description: 'How many times faster than it is spoken audio is taken; what comes faster waits' }),
    inputBurst: duration.prefault('30s'),
  })
  .prefault({})

/** Percent of a budget at which its callers are warned. */
export const budgetWarnings = z.array(z.int().min(1).max(99)).max(10).default([80, 95])

/** What a client secret may be minted with: lower than the plan, or without effect. */
export const secretLimits = z.strictObject({
  budget: money.nullable().prefault(null),
  tokensPerMinute: tokenCount.nullable().prefault(null),
  maxDuration: duration.nullable().prefault(null),
})
