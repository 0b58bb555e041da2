import { z } from 'zod'
import { SCOPES } from '../auth/scopes.ts'
import { type Ms, ms } from '../units.ts'
import { budgetWarnings, installationLimits, planLimits, tenantLimits, throttle } from './limits-schema.ts'
import { media, planJobs } from './media-schema.ts'
import { ledger, objective, outbound, prices, webhooks } from './money-schema.ts'
import { duration, size } from './quantities.ts'

export const tenantId = z.string().regex(/^[a-z0-9_]{1,40}$/, 'expected 1 to 40 of a-z, 0-9 and _')
const origin = z.string().regex(/^(\*|https?:\/\/[^/\s]+)$/, 'expected scheme://host[:port]')

const dial = z
  .strictObject({
    timeout: duration.prefault('5s'),
    attempts: z.int().min(1).max(10).default(3),
    backoff: z.strictObject({ first: duration.prefault('250ms'), longest: duration.prefault('4s') }).prefault({}),
  })
  .prefault({})

const provider = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('openai'),
    apiKey: z.string().min(1),
    baseUrl: z.url().default('https://api.openai.com/v1'),
    organization: z.string().optional(),
    project: z.string().optional(),
    dial,
  }),
  z.strictObject({ type: z.literal('azure'), apiKey: z.string().min(1), endpoint: z.url(), dial }),
  z.strictObject({
    type: z.literal('openai-compatible'),
    apiKey: z.string().optional(),
    baseUrl: z.url(),
    traceparent: z
      .boolean()
      .default(false)
      .meta({ description: 'Tell it the trace of each call, where it is your own' }),
    dial,
  }),
  z.strictObject({ type: z.literal('loopback'), dial }),
])

const target = z.strictObject({ provider: z.string(), model: z.string() })
const model = z
  .strictObject({
    provider: z.string(),
    /** The provider's own name; the name asked for when left out. */
    model: z.string().optional(),
    fallbacks: z.array(target).default([]),
    kind: z.enum(['conversation', 'transcription', 'vision']).default('conversation'),
  })
  .meta({ description: 'Where a model that callers ask for is served' })

const NUDGE = 'Ask in one short sentence whether the person is still there.'
const GOODBYE = 'The call ends in a moment. Say goodbye in one short, friendly sentence.'

const writtenSession = z.strictObject({
  maxDuration: duration.prefault('30m'),
  warnings: z
    .array(duration)
    .optional()
    .meta({ description: 'Left out: 60s and 10s before the end, where the session is longer than that' }),
  wrapUp: z
    .strictObject({
      before: duration.prefault('20s'),
      instructions: z.string().default(GOODBYE),
      maxOutputTokens: z.int().min(16).default(300),
    })
    .nullable()
    .default(null),
  idle: z
    .strictObject({
      limit: duration.prefault('60s'),
      warnBefore: duration
        .optional()
        .meta({ description: 'Left out: 10s, or half of the limit where that is not longer' }),
      nudge: z
        .strictObject({ times: z.int().min(1).max(10).default(1), instructions: z.string().default(NUDGE) })
        .nullable()
        .default(null),
    })
    .nullable()
    .optional()
    .meta({ description: 'Left out: a limit of 60s, where the session is longer than that' }),
  toolTimeout: duration.prefault('60s'),
  longestUtterance: duration.prefault('2m'),
  resumeWindow: duration.nullable().prefault('30s'),
  lastUsage: duration.prefault('10s'),
  opening: duration.prefault('15s'),
})

type WrittenSession = z.output<typeof writtenSession>

const WARNINGS = [ms(60_000), ms(10_000)]
const IDLE = { limit: ms(60_000), nudge: null }
const WARN_BEFORE = ms(10_000)

/** What was left out must never be at odds with what was written: a session of 30 s has no warning 60 s before its end. */
function withFittingDefaults({ warnings, idle, ...written }: WrittenSession) {
  const isShorter = (time: Ms) => time < written.maxDuration
  const limited = idle === undefined ? (isShorter(IDLE.limit) ? IDLE : null) : idle
  return { ...written, warnings: warnings ?? WARNINGS.filter(isShorter), idle: limited && withWarning(limited) }
}

function withWarning({
  limit,
  warnBefore,
  ...idle
}: Omit<NonNullable<WrittenSession['idle']>, 'warnBefore'> & { warnBefore?: Ms | undefined }) {
  return { ...idle, limit, warnBefore: warnBefore ?? (WARN_BEFORE < limit ? WARN_BEFORE : ms(Math.floor(limit / 2))) }
}

export const plan = z.strictObject({
  session: writtenSession.transform(withFittingDefaults).prefault({}),
  maxOutputTokens: z.int().min(1).nullable().default(null),
  tools: z.boolean().default(true),
  locked: z.array(z.string()).default([]),
  models: z.array(z.string()).nullable().default(null),
  limits: planLimits,
  jobs: planJobs,
  throttle,
  budgetWarnings,
})

export const scopes = z.array(z.enum(SCOPES)).min(1)

/** What may be said of a tenant, by the policy file and by the admin routes alike. */
export const tenantSettings = z.strictObject({
  plan: z.string().default('default'),
  origins: z.array(origin).default([]),
  suspended: z.boolean().default(false),
  limits: tenantLimits.default({}),
})

const tenant = tenantSettings.extend({
  keys: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[a-z0-9]{8}$/),
        hash: z.string().regex(/^[0-9a-f]{64}$/),
        scopes: scopes.default([...SCOPES]),
      }),
    )
    .default([]),
})

const A_PORT = 'expected a port: 1 to 65535, or 0 for a free one'
const listener = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: z.int(A_PORT).min(0, A_PORT).max(65_535, A_PORT),
  tls: z
    .union([z.literal('self-signed'), z.strictObject({ certFile: z.string(), keyFile: z.string() })])
    .nullable()
    .default(null),
})

const door = z.strictObject({
  maxMessage: size.prefault('1MiB'),
  maxFragments: z.int().min(1).default(32),
  messagesPerSecond: z.number().positive().default(200),
  messageBurst: z.number().positive().default(400),
  bytesPerSecond: size.prefault('256KiB'),
  byteBurst: size.prefault('1MiB'),
  firstEvent: duration.prefault('60s'),
  pingEvery: duration.prefault('10s'),
  socketsPerAddress: z.int().min(1).default(20),
  upgradesPerAddressPerSecond: z.number().positive().default(10),
  maxSessions: z.int().min(1).default(5_000),
  maxParkedShare: z.number().min(0).max(1).default(0.1),
  trustedProxies: z.array(z.union([z.cidrv4(), z.cidrv6()])).default([]),
  origins: z.array(origin).default([]),
  // Below the socket's own buffer its end would not be told.
  softBacklog: size.refine((n) => n >= 65_536, 'must be at least 64KiB').prefault('256KiB'),
  hardBacklog: size.prefault('1MiB'),
  slowReader: duration.prefault('5s'),
})

export const redisUrl = z.string().regex(/^(rediss?|unix):/, 'expected redis://, rediss:// or unix://')

/** The policy file, as an operator writes it. */
export const PolicyFile = z.strictObject({
  listeners: z
    .array(listener)
    .min(1)
    .prefault([{ port: 8080 }]),
  dataDir: z.string().default('.parley'),
  redis: z
    .strictObject({
      /** Left out: an embedded private Redis. */
      url: redisUrl.optional(),
      serverBin: z.string().optional(),
      durability: z.enum(['everysec', 'strict']).default('everysec'),
      maxMemory: size.prefault('256MiB'),
    })
    .prefault({}),
  advertiseUrl: z.url().optional(),
  workers: z
    .strictObject({
      listen: z
        .strictObject({ host: z.string().min(1).default('127.0.0.1'), port: z.int().min(0).max(65_535) })
        .nullable()
        .default(null)
        .meta({ description: 'Health and metrics of processes that run workers alone' }),
    })
    .prefault({}),
  door: door.prefault({}),
  drain: z.strictObject({ deadline: duration.prefault('60s') }).prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
  security: z
    .strictObject({
      pepper: z.string().default(''),
      adminKeyHash: z
        .string()
        .regex(/^[0-9a-f]{64}$/)
        .nullable()
        .default(null),
    })
    .prefault({}),
  providers: z.record(z.string(), provider).prefault({ loopback: { type: 'loopback' } }),
  models: z.record(z.string(), model).default({}),
  limits: installationLimits,
  plans: z.record(z.string(), plan).default({}),
  tenants: z.record(tenantId, tenant).default({}),
  prices,
  ledger,
  objective,
  webhooks,
  outbound,
  media,
  traces: z
    .strictObject({ endpoint: z.url(), headers: z.record(z.string(), z.string()).default({}) })
    .nullable()
    .default(null)
    .meta({
      description: 'Where spans are sent: the base URL of an OTLP collector over HTTP, such as http://localhost:4318',
    }),
})
export type PolicyFile = z.infer<typeof PolicyFile>
/** The file before defaults and units: what may be written. */
export type PolicyInput = z.input<typeof PolicyFile>

/** A JSON schema for editors. */
export function policyJsonSchema(): unknown {
  return z.toJSONSchema(PolicyFile, { io: 'input' })
}
