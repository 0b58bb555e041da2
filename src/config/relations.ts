import type { z } from 'zod'
import { effectiveLimits, type LimitOverrides, type ScopeLimits } from '../limits/accounts.ts'
import type { AccountLimits } from '../limits/limits.ts'
import type { PlanConfig } from './config.ts'
import type { PolicyFile, plan as planSchema } from './schema.ts'
import { toOverrides, toPlan } from './to-domain.ts'

/** One thing wrong with the policy file, or with what an admin route is asked to store. */
export interface Problem {
  /** Where, in dots and brackets: `plans.default.session.idle.limit`. */
  path: string
  message: string
}

type Wrong = (path: string, message: string) => void

/** What the shape alone cannot say. */
export function relations(file: PolicyFile): Problem[] {
  const problems: Problem[] = []
  const wrong: Wrong = (path, message) => problems.push({ path, message })
  modelRelations(file, wrong)
  for (const [name, plan] of Object.entries(file.plans)) {
    problems.push(...planProblems(`plans.${name}`, plan, (model) => model in file.models))
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
      ),
    )
    tenant.keys.forEach((key, i) => {
      if (ids.has(key.id)) wrong(`tenants.${name}.keys[${i}].id`, `'${key.id}' is given twice`)
      ids.add(key.id)
    })
  }
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

/** `at`: the path of the plan. */
export function planProblems(
  at: string,
  plan: z.output<typeof planSchema>,
  isModel: (name: string) => boolean,
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
  const { limits, throttle } = toPlan(plan)
  if (plan.maxOutputTokens !== null && throttle.smallestResponse > plan.maxOutputTokens)
    wrong('throttle.smallestResponse', 'must not exceed maxOutputTokens')
  moneyRelations(limits, wrong)
  for (const scope of ['session', 'user', 'tenant'] as const) {
    const rate = limits[scope].tokensPerMinute
    if (rate !== null && rate < throttle.smallestResponse)
      wrong(`limits.${scope}.tokensPerMinute`, 'must not be below throttle.smallestResponse')
  }
  return problems
}

/** `at`: the path of the tenant; `plan` null where none has the name. */
export function tenantProblems(at: string, planName: string, own: LimitOverrides, plan: PlanConfig | null): Problem[] {
  if (plan === null) return [{ path: `${at}.plan`, message: `no plan is named '${planName}'` }]
  const problems: Problem[] = []
  // What is wrong with the plan itself has been told there.
  const known = new Set<string>()
  moneyRelations(plan.limits, (path) => known.add(path))
  moneyRelations(effectiveLimits(plan.limits, own), (path, message) => {
    if (!known.has(path))
      problems.push({ path: `${at}.${path}`, message: `${message}, counting the plan '${planName}'` })
  })
  return problems
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
