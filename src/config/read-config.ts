import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse, YAMLParseError } from 'yaml'
import type { z } from 'zod'
import { PriceSheet, PriceSheetError } from '../meter/price-sheet.ts'
import type { Config } from './config.ts'
import { type Problem, relations } from './relations.ts'
import { PolicyFile, type PolicyInput } from './schema.ts'
import { withStandIns } from './stand-ins.ts'
import { toDomain } from './to-domain.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** Every problem of a policy file at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]
  /** `source`: what they are in, as its owner calls it. */
  constructor(problems: readonly Problem[], source = 'the policy file') {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
    super(`${source} has ${count}:\n${problems.map((p) => `  ${p.path}: ${p.message}`).join('\n')}`)
    this.problems = problems
  }
}

/**
 * Parses a policy file (YAML) with `${ENV}` references. `folder`: where it lies, and files it names are looked for. Throws
 * ConfigError with every problem, each with its path; a file that is wrong is never half applied.
 */
export function readConfig(yaml: string, env: Env, folder = '.'): Config {
  const problems: Problem[] = []
  const raw = parseYaml(yaml, 'file', problems)
  if (problems.length > 0) throw new ConfigError(problems)
  return build(resolveEnv(raw ?? {}, env, '', problems), problems, folder)
}

/** The same from an object: the small set-ups that need no file. */
export function configFrom(input: PolicyInput): Config {
  return build(input, [], '.')
}

function build(raw: unknown, problems: Problem[], folder: string): Config {
  const parsed = PolicyFile.safeParse(raw)
  if (!parsed.success) {
    const { issues } = parsed.error
    const rest = PolicyFile.safeParse(withStandIns(raw, issues))
    throw new ConfigError([
      ...problems,
      ...issues.flatMap(describe),
      ...(rest.success ? relations(rest.data, null) : []),
    ])
  }
  const file = parsed.data
  const plans = Object.keys(file.plans).length > 0 ? file.plans : PolicyFile.shape.plans.parse({ default: {} })
  const aboutPrices: Problem[] = []
  const sheet = readPrices(file.prices.file, folder, aboutPrices)
  problems.push(...relations({ ...file, plans }, sheet), ...aboutPrices)
  if (problems.length > 0 || sheet === null) throw new ConfigError(problems)
  return toDomain({ ...file, plans }, sheet)
}

/** The built-in sheet, with the operator's rows where a file has some. Null when that file is wrong. */
function readPrices(name: string | null, folder: string, problems: Problem[]): PriceSheet | null {
  if (name === null) return PriceSheet.load()
  let text: string
  try {
    text = readFileSync(resolve(folder, name), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    problems.push({ path: 'prices.file', message: `'${name}' cannot be read (${code})` })
    return null
  }
  const before = problems.length
  const rows = parseYaml(text, `prices.file '${name}'`, problems)
  if (problems.length > before) return null
  try {
    return PriceSheet.load(undefined, rows)
  } catch (error) {
    if (!(error instanceof PriceSheetError)) throw error
    for (const { path, message } of error.problems) {
      problems.push({ path: `prices.file '${name}'${path.replace(/^override\.?/, ' ')}`, message })
    }
    return null
  }
}

/** JSON is YAML too. */
function parseYaml(text: string, path: string, problems: Problem[]): unknown {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error
    problems.push({ path, message: (error.message.split('\n')[0] ?? '').replace(/:$/, '') })
    return null
  }
}

/** Where in the file an issue of the schema is, in words an operator understands. */
export function describe(issue: z.core.$ZodIssue): Problem[] {
  const path = pathOf(issue.path)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: 'is not a setting' }))
  }
  if (issue.code === 'invalid_key')
    return issue.issues.map(({ message }) => ({ path, message: `the name: ${message}` }))
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path, message: `is missing: expected ${issue.expected}` }]
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
