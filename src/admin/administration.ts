import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import type { Audit, AuditValue } from '../audit/audit.ts'
import type { KeyUse } from '../auth/key-use.ts'
import type { Clock } from '../clock.ts'
import type { Config, PlanConfig } from '../config/config.ts'
import { type Problem, planProblems, tenantProblems } from '../config/relations.ts'
import { plan as planSchema, tenantSettings } from '../config/schema.ts'
import { merged, type StoredPolicy, type StoredTenant } from '../config/stored-policy.ts'
import { toOverrides, toPlan } from '../config/to-domain.ts'
import { FaultError } from '../faults.ts'
import type { PolicyChange } from '../store/policy-store.ts'
import type { LivePolicy } from './live-policy.ts'

/** A tenant's settings and a plan as an operator writes them, in the policy file or in a request. */
export type TenantInput = z.input<typeof tenantSettings>
export type PlanInput = z.input<typeof planSchema>

/** Tenants and plans that can be changed while Parley runs. What the policy file names is not among them. */
export class Administration {
  readonly policy: LivePolicy
  readonly #audit: Audit
  readonly #clock: Clock
  readonly #keyUse: KeyUse

  constructor(policy: LivePolicy, audit: Audit, clock: Clock, keyUse: KeyUse) {
    this.policy = policy
    this.#audit = audit
    this.#clock = clock
    this.#keyUse = keyUse
  }

  /** Throws `already_exists`, `named_in_policy_file`, or `invalid_request` that names the setting. */
  async makeTenant(id: string, settings: TenantInput): Promise<void> {
    await this.policy.change((stored) => {
      const { file } = this.policy
      if (file.tenants.has(id)) throw new FaultError('named_in_policy_file', `The policy file has a tenant '${id}'.`)
      if (stored.tenants.has(id)) throw new FaultError('already_exists', `There is a tenant '${id}' already.`)
      requireSound(tenantProblemsOf(settings, this.#configFrom(stored)))
      return { tenants: new Map([[id, { settings, keys: [], madeAt: this.#now() }]]) }
    })
    this.#audit.record({ kind: 'tenant.made', ...byOperator(id, id), detail: { settings: asDetail(settings) } })
  }

  /** Each setting that is given replaces the present one whole; those left out stay. */
  async changeTenant(id: string, settings: Partial<TenantInput>): Promise<void> {
    let before: StoredTenant['settings'] = {}
    let after: StoredTenant['settings'] = {}
    await this.changeStored(id, (tenant, stored) => {
      before = tenant.settings
      after = { ...tenant.settings, ...settings }
      requireSound(tenantProblemsOf(after, this.#configFrom(stored)))
      return { ...tenant, settings: after }
    })
    const [was, is] = [tenantSettings.parse(before), tenantSettings.parse(after)]
    const names = Object.keys(is) as (keyof typeof is)[]
    const changed = names.filter((name) => !isDeepStrictEqual(was[name], is[name]))
    const others = changed.filter((name) => name !== 'limits')
    if (others.length > 0) {
      const detail = Object.fromEntries(others.map((name) => [name, asDetail(after[name])]))
      this.#audit.record({ kind: 'tenant.changed', ...byOperator(id, id), detail })
    }
    if (changed.includes('limits')) {
      const detail = { before: asDetail(before.limits), after: asDetail(after.limits) }
      this.#audit.record({ kind: 'limits.changed', ...byOperator(id, id), detail })
    }
  }

  /** With its keys. Its running sessions end. */
  async removeTenant(id: string): Promise<void> {
    let keyIds: string[] = []
    await this.policy.change((stored) => {
      keyIds = this.#stored(id, stored).keys.map((key) => key.id)
      return { tenants: new Map([[id, null]]) }
    })
    this.#audit.record({ kind: 'tenant.removed', ...byOperator(id, id), detail: { keys: keyIds } })
    await this.#keyUse.forget(keyIds).catch(() => undefined)
  }

  /** Changes a stored tenant. Throws `not_found` or `named_in_policy_file`. */
  async changeStored(id: string, change: (tenant: StoredTenant, stored: StoredPolicy) => StoredTenant): Promise<void> {
    await this.policy.change((stored) => ({
      tenants: new Map([[id, change(this.#stored(id, stored), stored)]]),
    }))
  }

  /** Makes or replaces a plan. Sessions that are running keep what they were admitted with. */
  async putPlan(name: string, written: PlanInput): Promise<void> {
    let before: unknown
    await this.policy.change((stored) => {
      this.#requireOwnPlan(name)
      before = stored.plans.get(name)
      const config = this.#configFrom(stored)
      const parsed = planSchema.parse(written)
      requireSound(planProblems(name, parsed, (model) => config.models.has(model), onOffer(config)))
      requireTenantsFit(config, name, toPlan(parsed))
      return { plans: new Map([[name, written]]) }
    })
    this.#audit.record({ kind: 'plan.changed', ...byOperator(null, name), detail: { plan: asDetail(written) } })
    const [was, is] = [limitsIn(before), limitsIn(written)]
    if (isDeepStrictEqual(was, is)) return
    this.#audit.record({ kind: 'limits.changed', ...byOperator(null, name), detail: { before: was, after: is } })
  }

  /** Throws `in_use` while a tenant is on it. */
  async removePlan(name: string): Promise<void> {
    await this.policy.change((stored): PolicyChange => {
      this.#requireOwnPlan(name)
      if (!stored.plans.has(name)) throw new FaultError('not_found', `There is no plan '${name}'.`)
      const user = [...this.#configFrom(stored).tenants].find(([, tenant]) => tenant.plan === name)
      if (user !== undefined) throw new FaultError('in_use', `The tenant '${user[0]}' is on the plan '${name}'.`)
      return { plans: new Map([[name, null]]) }
    })
    this.#audit.record({ kind: 'plan.removed', ...byOperator(null, name) })
  }

  #stored(id: string, stored: StoredPolicy): StoredTenant {
    if (this.policy.file.tenants.has(id)) {
      throw new FaultError('named_in_policy_file', `The tenant '${id}' is named in the policy file: change it there.`)
    }
    const tenant = stored.tenants.get(id)
    if (tenant === undefined) throw new FaultError('not_found', `There is no tenant '${id}'.`)
    return tenant
  }

  #requireOwnPlan(name: string): void {
    if (!this.policy.file.plans.has(name)) return
    throw new FaultError('named_in_policy_file', `The plan '${name}' is named in the policy file: change it there.`)
  }

  #configFrom(stored: StoredPolicy): Config {
    return merged(this.policy.file, stored, () => undefined)
  }

  #now(): number {
    return Math.floor(this.#clock.now())
  }
}

const onOffer = ({ models, providers, prices: { sheet } }: Config) => ({ models, providers, sheet })

function tenantProblemsOf(settings: unknown, config: Config): Problem[] {
  const { plan, limits } = tenantSettings.parse(settings)
  return tenantProblems('', plan, toOverrides(limits), config.plans.get(plan) ?? null, onOffer(config))
}

/** A plan cannot be changed in a way that makes the numbers of a tenant on it contradict themselves. */
function requireTenantsFit(config: Config, name: string, plan: PlanConfig): void {
  for (const [id, tenant] of config.tenants) {
    if (tenant.plan !== name) continue
    requireSound(tenantProblems(`tenants.${id}`, name, tenant.limits, plan, onOffer(config)))
  }
}

function requireSound(problems: readonly Problem[]): void {
  const [first] = problems
  if (first === undefined) return
  const param = first.path.replace(/^\./, '')
  throw new FaultError('invalid_request', `Invalid '${param}': ${first.message}`, { param })
}

export function byOperator(tenant: string | null, subject: string) {
  return { actor: 'operator' as const, tenant, subject }
}

/** What came as JSON can stand in the log as it is. */
function asDetail(value: unknown): AuditValue {
  return (value ?? null) as AuditValue
}

function limitsIn(plan: unknown): AuditValue {
  return asDetail((plan as { limits?: unknown } | null | undefined)?.limits)
}
