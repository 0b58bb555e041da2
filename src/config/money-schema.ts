import { z } from 'zod'
import { duration, money } from './quantities.ts'

export const prices = z
  .strictObject({
    /** Rows that add to the built-in sheet or replace some of it; JSON or YAML, relative to the policy file. */
    file: z.string().min(1).nullable().default(null),
    unknownModels: z.enum(['refuse', 'dearest']).default('refuse'),
  })
  .prefault({})
  .meta({ description: 'What models cost, and what becomes of those whose price nobody knows' })

export const ledger = z
  .union([
    z.strictObject({ sqlite: z.string().min(1) }),
    z.strictObject({
      postgres: z.string().regex(/^postgres(ql)?:\/\//, 'expected postgres://…'),
    }),
  ])
  .optional()
  .meta({ description: 'Where every cost is booked for ever; left out: SQLite in the data folder' })

const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d)$/
const timeOfDay = z
  .string('expected a time of day such as "15:00", in quotes')
  .regex(TIME_OF_DAY, 'expected a time of day such as "15:00"')
  .transform((text) => {
    const [, hours, minutes] = TIME_OF_DAY.exec(text) ?? []
    return Number(hours) * 60 + Number(minutes)
  })

const timeZone = z.string().refine((name) => {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}, 'expected a time zone such as Europe/Berlin')

const step = z.strictObject({
  /** Percent of what may be gone by now. */
  at: z.int().min(1).max(1_000),
  models: z.record(z.string(), z.string()).default({}),
  maxOutputTokens: z.int().min(16).nullable().default(null),
})

export const objective = z
  .strictObject({
    perDay: money,
    share: z.int().min(1).max(100).default(90),
    by: timeOfDay.prefault('15:00'),
    timeZone: timeZone.default('UTC'),
    steps: z.array(step).min(1).max(10),
  })
  .nullable()
  .default(null)
  .meta({ description: 'Rule L6: what a day may cost, how soon, and what new sessions get when it goes faster' })

/** What an operator can be told of by webhook. */
export const WEBHOOK_EVENTS = [
  'budget.warning',
  'budget.spent',
  'objective.stepped',
  'objective.returned',
  'ledger.drifted',
] as const
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

export const webhooks = z
  .array(
    z.strictObject({
      url: z.url({ protocol: /^https?$/ }),
      /** The key of the signature (Standard Webhooks): `whsec_` and base64, or any text of at least 16 characters. */
      secret: z.string().min(16),
      events: z
        .array(z.enum(WEBHOOK_EVENTS))
        .min(1)
        .default([...WEBHOOK_EVENTS]),
      timeout: duration.prefault('10s'),
    }),
  )
  .max(20)
  .default([])
