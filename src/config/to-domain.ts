import { join } from 'node:path'
import type { z } from 'zod'
import type { LimitOverrides } from '../limits/accounts.ts'
import { type AccountLimits, UNLIMITED } from '../limits/limits.ts'
import type { Objective } from '../limits/objective.ts'
import type { PriceSheet } from '../meter/price-sheet.ts'
import { tokens } from '../units.ts'
import type { Config, LedgerConfig, PlanConfig, StorageConfig, TenantConfig } from './config.ts'
import type { PolicyFile, plan, tenantSettings } from './schema.ts'

/** A file that has been checked, in the words of the rest of the code. */
export function toDomain(file: PolicyFile, sheet: PriceSheet): Config {
  return {
    listeners: file.listeners,
    dataDir: file.dataDir,
    ...(file.redis.url === undefined ? {} : { redisUrl: file.redis.url }),
    embeddedRedis: {
      durability: file.redis.durability,
      maxMemory: file.redis.maxMemory,
      ...(file.redis.serverBin === undefined ? {} : { serverBin: file.redis.serverBin }),
    },
    ...(file.advertiseUrl === undefined ? {} : { advertiseUrl: file.advertiseUrl }),
    workers: file.workers,
    door: file.door,
    drain: file.drain,
    logLevel: file.log.level,
    pepper: file.security.pepper,
    adminKeyHash: file.security.adminKeyHash,
    providers: new Map(Object.entries(file.providers)) as Config['providers'],
    models: toModels(file.models),
    plans: new Map(Object.entries(file.plans).map(([name, value]) => [name, toPlan(value)])),
    tenants: new Map(
      Object.entries(file.tenants).map(([name, { keys, ...settings }]) => [
        name,
        toTenant(
          settings,
          keys.map((key) => ({ ...key, former: null })),
        ),
      ]),
    ),
    limits: { ...UNLIMITED, ...file.limits },
    prices: { sheet, unknownModels: file.prices.unknownModels },
    ledger: toLedger(file.ledger, file.dataDir),
    objective: toObjective(file.objective),
    webhooks: file.webhooks.map(({ secret, ...hook }) => ({ ...hook, secrets: [secret].flat() })),
    outbound: file.outbound,
    media: { ...file.media, storage: toStorage(file.media.storage, file.dataDir) },
    traces: file.traces,
  }
}

export function toModels(models: PolicyFile['models']): Config['models'] {
  return new Map(
    Object.entries(models).map(([name, m]) => [
      name,
      { kind: m.kind, targets: [{ provider: m.provider, model: m.model ?? name }, ...m.fallbacks] },
    ]),
  )
}

const SMALLEST_RESPONSE = 200

export function toPlan(value: z.output<typeof plan>): PlanConfig {
  const { warnings, ...session } = value.session
  const limits = {
    session: { ...UNLIMITED, ...value.limits.session },
    user: { ...UNLIMITED, ...value.limits.user },
    tenant: { ...UNLIMITED, ...value.limits.tenant },
  }
  const smallest = Math.min(SMALLEST_RESPONSE, value.maxOutputTokens ?? SMALLEST_RESPONSE)
  return {
    session: { ...session, durationWarnings: [...warnings].sort((a, b) => b - a) },
    ceilings: { maxOutputTokens: value.maxOutputTokens, tools: value.tools, locked: value.locked },
    models: value.models,
    limits,
    jobs: value.jobs,
    throttle: { ...value.throttle, smallestResponse: value.throttle.smallestResponse ?? tokens(smallest) },
    budgetWarnings: [...value.budgetWarnings].sort((a, b) => a - b),
  }
}

export function toTenant(value: z.output<typeof tenantSettings>, keys: TenantConfig['keys']): TenantConfig {
  return {
    plan: value.plan,
    keys,
    origins: value.origins,
    suspended: value.suspended,
    limits: toOverrides(value.limits),
  }
}

export function toOverrides(limits: z.output<typeof tenantSettings>['limits']): LimitOverrides {
  return Object.fromEntries(
    Object.entries(limits).flatMap(([scope, own]) => (own === undefined ? [] : [[scope, said(own)]])),
  )
}

/** The numbers that are there: what is absent must not pass for a value. */
function said(own: Partial<Record<keyof AccountLimits, number | null | undefined>>): Partial<AccountLimits> {
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined))
}

function toLedger(value: PolicyFile['ledger'], dataDir: string): LedgerConfig {
  if (value === undefined) return { type: 'sqlite', file: join(dataDir, 'ledger.db') }
  return 'sqlite' in value ? { type: 'sqlite', file: value.sqlite } : { type: 'postgres', url: value.postgres }
}

function toStorage(value: PolicyFile['media']['storage'], dataDir: string): StorageConfig {
  return value.type === 'folder' ? { type: 'folder', path: value.path ?? join(dataDir, 'media') } : value
}

function toObjective(value: PolicyFile['objective']): Objective | null {
  if (value === null) return null
  const { share, steps, ...rest } = value
  return {
    ...rest,
    sharePercent: share,
    steps: steps.map(({ models, ...step }) => ({ ...step, siblings: new Map(Object.entries(models)) })),
  }
}
