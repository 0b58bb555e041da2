import { z } from 'zod'
import { instant } from '../units.ts'
import type { Config, KeyConfig, PlanConfig, TenantConfig } from './config.ts'
import { plan, scopes, tenantSettings } from './schema.ts'
import { toPlan, toTenant } from './to-domain.ts'

/** A key made by an admin route. Never the key itself. */
export const StoredKey = z.object({
  id: z.string(),
  hash: z.string(),
  /** The operator's word for it. */
  name: z.string(),
  scopes,
  /** Epoch ms. */
  madeAt: z.number(),
  former: z.object({ hash: z.string(), until: z.number().nullable() }).nullable(),
})
export type StoredKey = z.infer<typeof StoredKey>

/** A tenant made by an admin route: its settings as they were written, in the words of the policy file. */
export const StoredTenant = z.object({
  settings: z.record(z.string(), z.unknown()),
  keys: z.array(StoredKey),
  madeAt: z.number(),
})
export type StoredTenant = z.infer<typeof StoredTenant>

/** What the admin routes have made, besides what the policy file names. */
export interface StoredPolicy {
  /** Rises with every change. */
  readonly revision: number
  readonly tenants: ReadonlyMap<string, StoredTenant>
  /** By name, as they were written. */
  readonly plans: ReadonlyMap<string, unknown>
}

export const NOTHING_STORED: StoredPolicy = { revision: 0, tenants: new Map(), plans: new Map() }

/**
 * The policy file with what is stored added to it. Where both name the same, the file holds. What is stored and cannot be
 * read any more is left out, so that whoever it concerns is refused, and named to `unreadable`.
 */
export function merged(file: Config, stored: StoredPolicy, unreadable: (what: string) => void): Config {
  const plans = new Map<string, PlanConfig>(file.plans)
  for (const [name, written] of stored.plans) {
    const read = plan.safeParse(written)
    if (!read.success) unreadable(`plan '${name}'`)
    else if (!plans.has(name)) plans.set(name, toPlan(read.data))
  }
  const tenants = new Map<string, TenantConfig>(file.tenants)
  for (const [id, { settings, keys }] of stored.tenants) {
    const read = tenantSettings.safeParse(settings)
    if (!read.success) unreadable(`tenant '${id}'`)
    else if (!tenants.has(id)) tenants.set(id, toTenant(read.data, keys.map(toKey)))
  }
  return { ...file, plans, tenants }
}

function toKey({ id, hash, scopes, former }: StoredKey): KeyConfig {
  const until = former?.until ?? null
  return {
    id,
    hash,
    scopes,
    former: former === null ? null : { hash: former.hash, until: until === null ? null : instant(until) },
  }
}
