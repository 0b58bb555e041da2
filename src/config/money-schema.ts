import { z } from 'zod'
import { webhookKey } from '../webhooks/sign.ts'
import { WEBHOOK_EVENTS } from '../webhooks/webhook.ts'
import { money } from './quantities.ts'

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
  at: z.int().min(100).max(1_000),
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

/** Standard Webhooks 1.0: `whsec_` and base64 of 24 to 64 bytes. */
const webhookSecret = z.string().refine(isWebhookSecret, 'expected whsec_ and base64 of 24 to 64 bytes')

export const webhooks = z
  .array(
    z.strictObject({
      url: z.url({ protocol: /^https?$/ }),
      /** Newest first: while two are listed both sign, so that a receiver can change over. */
      secret: z.union([webhookSecret, z.array(webhookSecret).min(1).max(4)]),
      /** All when left out. */
      events: z.array(z.enum(WEBHOOK_EVENTS)).min(1).nullable().default(null),
    }),
  )
  .max(20)
  .default([])

/** What may be reached outside: public addresses over https, unless said otherwise. */
export const outbound = z
  .strictObject({
    allowHttp: z.boolean().default(false),
    ports: z.array(z.int().min(1).max(65_535)).default([]),
    allowHosts: z.array(z.string().min(1)).nullable().default(null),
    allowPrivate: z.array(z.union([z.cidrv4(), z.cidrv6()])).default([]),
  })
  .prefault({})

function isWebhookSecret(secret: string): boolean {
  try {
    return webhookKey(secret).length > 0
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}
