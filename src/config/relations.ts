import type { z } from 'zod'
import { effectiveLimits, type LimitOverrides, type ScopeLimits } from '../limits/accounts.ts'
import type { AccountLimits } from '../limits/limits.ts'
import type { PriceSheet } from '../meter/price-sheet.ts'
import { type OnOffer, type Smallest, smallestOf, tenantUnanswerable, tooLow, unanswerable } from './answerable.ts'
import type { PlanConfig } from './config.ts'
import type { PolicyFile, plan as planSchema } from './schema.ts'
import { toModels, toOverrides, toPlan } from './to-domain.ts'

/** One thing wrong with the policy file, or with what an admin route is asked to store. */
export interface Problem {
  /** Where, in dots and brackets: `plans.default.session.idle.limit`. */
  path: string
  message: string
}

type Wrong = (path: string, message: string) => void

/** What the shape alone cannot say. `sheet`: null where prices are not known. */
export function relations(file: PolicyFile, sheet: PriceSheet | null): Problem[] {
  const problems: Problem[] = []
  const wrong: Wrong = (path, message) => problems.push({ path, message })
  const models = toModels(file.models)
  const on = sheet === null ? null : { models, providers: new Map(Object.entries(file.providers)), sheet }
  modelRelations(file, wrong)
  for (const [name, plan] of Object.entries(file.plans)) {
    problems.push(...planProblems(`plans.${name}`, plan, (model) => model in file.models, on))
  }
  const ids = new Set<string>()
  for (const [name, tenant] of Object.entries(file.tenants)) {
    const plan = file.plans[tenant.plan]
    problems.push(
      ...tenantProblems(
        `tenants.${name}`,
        tenant.plan,
        toOverrides(tenant.limits),
        plan === undefined ? null : toPlan(plan),
        on,
      ),
    )
    tenant.keys.forEach((key, i) => {
      if (ids.has(key.id)) wrong(`tenants.${name}.keys[${i}].id`, `'${key.id}' is given twice`)
      ids.add(key.id)
    })
  }
  if (on !== null) problems.push(...tooLow('limits', file.limits.tokensPerMinute ?? null, lightestOf(file, on)))
  if (file.door.softBacklog > file.door.hardBacklog) wrong('door.softBacklog', 'must not exceed door.hardBacklog')
  rising(
    'limits',
    [
      ['perDay', file.limits.perDay],
      ['perMonth', file.limits.perMonth],
    ],
    wrong,
  )
  objectiveRelations(file, wrong)
  return problems
}

/** The smallest response of all plans; null where that of one is not certain. */
function lightestOf({ plans }: PolicyFile, on: OnOffer): Smallest | null {
  const all = Object.values(plans).map((plan) => smallestOf(toPlan(plan), on))
  return all.reduce((a, b) => (a === null || b === null ? null : a.weighted <= b.weighted ? a : b), all[0] ?? null)
}

function modelRelations(file: PolicyFile, wrong: Wrong): void {
  for (const [name, model] of Object.entries(file.models)) {
    if (!(model.provider in file.providers))
      wrong(`models.${name}.provider`, `no provider is named '${model.provider}'`)
    model.fallbacks.forEach((fallback, i) => {
      if (fallback.provider in file.providers) return
      wrong(`models.${name}.fallbacks[${i}].provider`, `no provider is named '${fallback.provider}'`)
    })
  }
}

/** `at`: the path of the plan. `on`: null where prices are not known. */
export function planProblems(
  at: string,
  plan: z.output<typeof planSchema>,
  isModel: (name: string) => boolean,
  on: OnOffer | null,
): Problem[] {
  const problems: Problem[] = []
  const wrong: Wrong = (path, message) => problems.push({ path: `${at}.${path}`, message })
  const { maxDuration, idle, warnings, wrapUp } = plan.session
  if (idle !== null && idle.limit >= maxDuration) wrong('session.idle.limit', 'must be shorter than maxDuration')
  if (idle !== null && idle.warnBefore >= idle.limit)
    wrong('session.idle.warnBefore', 'must be shorter than idle.limit')
  if (wrapUp !== null && wrapUp.before >= maxDuration)
    wrong('session.wrapUp.before', 'must be shorter than maxDuration')
  warnings.forEach((warning, i) => {
    if (warning >= maxDuration) wrong(`session.warnings[${i}]`, 'must be shorter than maxDuration')
  })
  for (const model of plan.models ?? []) {
    if (!isModel(model)) wrong('models', `no model is named '${model}'`)
  }
  const domain = toPlan(plan)
  const { limits, throttle } = domain
  if (plan.maxOutputTokens !== null && throttle.smallestResponse > plan.maxOutputTokens)
    wrong('throttle.smallestResponse', 'must not exceed maxOutputTokens')
  moneyRelations(limits, wrong)
  return on === null ? problems : [...problems, ...unanswerable(at, limits, smallestOf(domain, on))]
}

/** `at`: the path of the tenant; `plan` null where none has the name. */
export function tenantProblems(
  at: string,
  planName: string,
  own: LimitOverrides,
  plan: PlanConfig | null,
  on: OnOffer | null,
): Problem[] {
  if (plan === null) return [{ path: `${at}.plan`, message: `no plan is named '${planName}'` }]
  const problems: Problem[] = []
  // What is wrong with the plan itself has been told there.
  const known = new Set<string>()
  moneyRelations(plan.limits, (path) => known.add(path))
  moneyRelations(effectiveLimits(plan.limits, own), (path, message) => {
    if (!known.has(path))
      problems.push({ path: `${at}.${path}`, message: `${message}, counting the plan '${planName}'` })
  })
  return on === null ? problems : [...problems, ...tenantUnanswerable(at, own, plan, on)]
}

/** A session cannot spend more than its day, nor a day more than its month. */
function moneyRelations({ session, user, tenant }: ScopeLimits, wrong: Wrong): void {
  const chain = (scope: 'user' | 'tenant', { perDay, perMonth }: AccountLimits): [Amount, Amount] => [
    [`${scope}.perDay`, perDay],
    [`${scope}.perMonth`, perMonth],
  ]
  for (const scope of ['user', 'tenant'] as const) {
    const shared = scope === 'user' ? user : tenant
    rising('limits', chain(scope, shared), wrong)
    rising('limits', [['session.budget', session.budget], firstOf(chain(scope, shared))], wrong)
  }
}

type Amount = [path: string, amount: number | null]

function firstOf([day, month]: [Amount, Amount]): Amount {
  return day[1] === null ? month : day
}

function rising(at: string, [[lowPath, low], [highPath, high]]: [Amount, Amount], wrong: Wrong): void {
  if (low !== null && high !== null && low > high) wrong(`${at}.${lowPath}`, `must not exceed ${at}.${highPath}`)
}

function objectiveRelations({ objective, limits, models }: PolicyFile, wrong: Wrong): void {
  if (objective === null) return
  if (limits.perDay !== null && objective.perDay > limits.perDay)
    wrong('objective.perDay', 'must not exceed limits.perDay')
  objective.steps.forEach((step, i) => {
    const at = `objective.steps[${i}]`
    const before = objective.steps[i - 1]
    if (before !== undefined && step.at <= before.at) wrong(`${at}.at`, 'must be above that of the step before')
    if (Object.keys(step.models).length === 0 && step.maxOutputTokens === null)
      wrong(at, 'changes nothing: it needs models or maxOutputTokens')
    for (const [from, to] of Object.entries(step.models)) {
      for (const name of [from, to]) {
        if (!(name in models)) wrong(`${at}.models.${from}`, `no model is named '${name}'`)
      }
      if (models[from] !== undefined && models[to] !== undefined && models[from].kind !== models[to].kind)
        wrong(`${at}.models.${from}`, `'${to}' is of another kind`)
    }
  })
}
