import { parse, YAMLParseError } from 'yaml'
import type { z } from 'zod'
import type { Config, PlanConfig } from './config.ts'
import { PolicyFile, type PolicyInput } from './schema.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** One thing wrong with the policy file. */
export interface Problem {
  /** Where, in dots and brackets: `plans.default.session.idle.limit`. */
  path: string
  message: string
}

/** Every problem of a policy file at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(
      `the policy file has ${problems.length} problem(s):\n${problems.map((p) => `  ${p.path}: ${p.message}`).join('\n')}`,
    )
    this.problems = problems
  }
}

/**
 * Parses a policy file (YAML) with `${ENV}` references. Throws ConfigError with every problem, each with its path; a file
 * that is wrong is never half applied.
 */
export function readConfig(yaml: string, env: Env): Config {
  let raw: unknown
  try {
    raw = parse(yaml) ?? {}
  } catch (error) {
    if (error instanceof YAMLParseError)
      throw new ConfigError([{ path: 'file', message: error.message.split('\n')[0] ?? '' }])
    throw error
  }
  const problems: Problem[] = []
  return build(resolveEnv(raw, env, '', problems), problems)
}

/** The same from an object: the small set-ups that need no file. */
export function configFrom(input: PolicyInput): Config {
  return build(input, [])
}

function build(raw: unknown, problems: Problem[]): Config {
  const parsed = PolicyFile.safeParse(raw)
  if (!parsed.success) throw new ConfigError([...problems, ...parsed.error.issues.flatMap(describe)])
  const file = parsed.data
  const plans = Object.keys(file.plans).length > 0 ? file.plans : PolicyFile.shape.plans.parse({ default: {} })
  problems.push(...relations({ ...file, plans }))
  if (problems.length > 0) throw new ConfigError(problems)
  return toDomain({ ...file, plans })
}

function toDomain(file: PolicyFile): Config {
  return {
    listeners: file.listeners,
    dataDir: file.dataDir,
    ...(file.redis.url === undefined ? {} : { redisUrl: file.redis.url }),
    embeddedRedis: {
      durability: file.redis.durability,
      maxMemory: file.redis.maxMemory,
      ...(file.redis.serverBin === undefined ? {} : { serverBin: file.redis.serverBin }),
    },
    ...(file.ledger.postgres === undefined ? {} : { ledgerUrl: file.ledger.postgres }),
    ...(file.advertiseUrl === undefined ? {} : { advertiseUrl: file.advertiseUrl }),
    door: file.door,
    drain: file.drain,
    logLevel: file.log.level,
    pepper: file.security.pepper,
    adminKeyHash: file.security.adminKeyHash,
    providers: new Map(Object.entries(file.providers)) as Config['providers'],
    models: new Map(
      Object.entries(file.models).map(([name, m]) => [
        name,
        { kind: m.kind, targets: [{ provider: m.provider, model: m.model ?? name }, ...m.fallbacks] },
      ]),
    ),
    plans: new Map(Object.entries(file.plans).map(([name, plan]) => [name, toPlan(plan)])),
    tenants: new Map(Object.entries(file.tenants)),
  }
}

function toPlan(plan: PolicyFile['plans'][string]): PlanConfig {
  const { warnings, ...session } = plan.session
  return {
    session: { ...session, durationWarnings: [...warnings].sort((a, b) => b - a) },
    ceilings: { maxOutputTokens: plan.maxOutputTokens, tools: plan.tools, locked: plan.locked },
    models: plan.models,
  }
}

/** What the shape alone cannot say. */
function relations(file: PolicyFile): Problem[] {
  const problems: Problem[] = []
  const wrong = (path: string, message: string) => problems.push({ path, message })
  for (const [name, model] of Object.entries(file.models)) {
    if (!(model.provider in file.providers))
      wrong(`models.${name}.provider`, `no provider is named '${model.provider}'`)
    model.fallbacks.forEach((fallback, i) => {
      if (fallback.provider in file.providers) return
      wrong(`models.${name}.fallbacks[${i}].provider`, `no provider is named '${fallback.provider}'`)
    })
  }
  for (const [name, plan] of Object.entries(file.plans)) {
    const at = `plans.${name}.session`
    const { maxDuration, idle, warnings, wrapUp } = plan.session
    if (idle !== null && idle.limit >= maxDuration) wrong(`${at}.idle.limit`, 'must be shorter than maxDuration')
    if (idle !== null && idle.warnBefore >= idle.limit)
      wrong(`${at}.idle.warnBefore`, 'must be shorter than idle.limit')
    if (wrapUp !== null && wrapUp.before >= maxDuration)
      wrong(`${at}.wrapUp.before`, 'must be shorter than maxDuration')
    warnings.forEach((warning, i) => {
      if (warning >= maxDuration) wrong(`${at}.warnings[${i}]`, 'must be shorter than maxDuration')
    })
    for (const model of plan.models ?? []) {
      if (!(model in file.models)) wrong(`plans.${name}.models`, `no model is named '${model}'`)
    }
  }
  const ids = new Set<string>()
  for (const [name, tenant] of Object.entries(file.tenants)) {
    if (!(tenant.plan in file.plans)) wrong(`tenants.${name}.plan`, `no plan is named '${tenant.plan}'`)
    tenant.keys.forEach((key, i) => {
      if (ids.has(key.id)) wrong(`tenants.${name}.keys[${i}].id`, `'${key.id}' is given twice`)
      ids.add(key.id)
    })
  }
  if (file.door.softBacklog > file.door.hardBacklog) wrong('door.softBacklog', 'must not exceed door.hardBacklog')
  return problems
}

function describe(issue: z.core.$ZodIssue): Problem[] {
  const path = pathOf(issue.path)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: 'is not a setting' }))
  }
  return [{ path, message: issue.message }]
}

function pathOf(path: readonly PropertyKey[]): string {
  let out = ''
  for (const part of path) out += typeof part === 'number' ? `[${part}]` : `${out === '' ? '' : '.'}${String(part)}`
  return out === '' ? 'file' : out
}

const REFERENCE = /\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}/g

/** Replaces `${NAME}` and `${NAME:-default}` in every string. */
function resolveEnv(value: unknown, env: Env, path: string, problems: Problem[]): unknown {
  if (typeof value === 'string') {
    return value.replace(REFERENCE, (_, name: string, fallback: string | undefined) => {
      const found = env[name] ?? fallback
      if (found === undefined) problems.push({ path, message: `the environment has no ${name}` })
      return found ?? ''
    })
  }
  if (Array.isArray(value)) return value.map((item, i) => resolveEnv(item, env, `${path}[${i}]`, problems))
  if (typeof value !== 'object' || value === null) return value
  const out: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    out[key] = resolveEnv(item, env, path === '' ? key : `${path}.${key}`, problems)
  }
  return out
}
