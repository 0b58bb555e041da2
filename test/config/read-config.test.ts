import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ConfigError, readConfig } from '../../src/config/read-config.ts'
import { policyJsonSchema } from '../../src/config/schema.ts'

const file = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

function problemsOf(yaml: string, env = {}): string[] {
  try {
    readConfig(yaml, env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((p) => `${p.path}: ${p.message}`)
    throw error
  }
}

describe('the policy file', () => {
  test('R4 the example is a good one, and comes out in domain units', () => {
    const config = readConfig(file('parley.example.yaml'), {})
    expect(config.plans.get('kiosk')?.session).toMatchObject({
      maxDuration: 300_000,
      idle: { limit: 20_000, warnBefore: 5_000, nudge: { times: 1 } },
      wrapUp: { before: 20_000, maxOutputTokens: 300 },
    })
    expect(config.models.get('gpt-realtime')?.targets).toEqual([
      { provider: 'openai', model: 'gpt-realtime' },
      { provider: 'azure', model: 'my-realtime-deployment' },
    ])
    expect(config.door.maxMessage).toBe(1_048_576)
  })

  test('R4 the JSON schema in the repository is that of the reader', () => {
    expect(JSON.parse(file('parley.schema.json'))).toEqual(JSON.parse(JSON.stringify(policyJsonSchema())))
  })

  test('R4 an empty file is a good one', () => {
    expect(problemsOf('')).toEqual([])
  })

  test('R4 every problem is told at once, each with its path', () => {
    const problems = problemsOf(`
plans:
  default: { session: { maxDuration: 10s, idle: { limit: 20s, warnBefore: 30s }, warnings: [20s] } }
models:
  a: { provider: nobody, fallbacks: [{ provider: nowhere, model: x }] }
tenants:
  t: { plan: gold, keys: [{ id: a1b2c3d4, hash: ${'a'.repeat(64)} }, { id: a1b2c3d4, hash: ${'a'.repeat(64)} }] }
door: { softBacklog: 2MiB }
`)
    expect(problems).toEqual([
      "models.a.provider: no provider is named 'nobody'",
      "models.a.fallbacks[0].provider: no provider is named 'nowhere'",
      'plans.default.session.idle.limit: must be shorter than maxDuration',
      'plans.default.session.idle.warnBefore: must be shorter than idle.limit',
      'plans.default.session.warnings[0]: must be shorter than maxDuration',
      "tenants.t.plan: no plan is named 'gold'",
      "tenants.t.keys[1].id: 'a1b2c3d4' is given twice",
      'door.softBacklog: must not exceed door.hardBacklog',
    ])
  })

  test('R4 misspelt settings and wrong forms are named', () => {
    const problems = problemsOf(
      'plan: {}\nplans: { default: { session: { maxDuraton: 10s, idle: { limit: soon } } } }\n',
    )
    expect(problems).toContain('plan: is not a setting')
    expect(problems).toContain('plans.default.session.maxDuraton: is not a setting')
    expect(problems.some((p) => p.startsWith('plans.default.session.idle.limit: expected a duration'))).toBe(true)
  })

  test('R4 what is misspelt hides no other problem, and is not told twice', () => {
    const problems = problemsOf(`
providers: { openai: { type: openai }, local: { type: loopback } }
models: { a: { provider: openai }, b: { provider: opanai }, c: { provider: local, knd: transcription } }
plans:
  default: { session: { maxDuration: 5m, idle: { limit: 1h } }, models: [a, b, c, d] }
  other: { toools: false }
tenants: { Acme: {}, t: { plan: other }, u: { plan: gold } }
objective: { perDay: $5, steps: [{ at: 100, models: { a: c } }] }
`)
    expect(problems).toEqual([
      'providers.openai.apiKey: is missing: expected string',
      'models.c.knd: is not a setting',
      'plans.other.toools: is not a setting',
      'tenants.Acme: the name: expected 1 to 40 of a-z, 0-9 and _',
      "models.b.provider: no provider is named 'opanai'",
      'plans.default.session.idle.limit: must be shorter than maxDuration',
      "plans.default.models: no model is named 'd'",
      "tenants.u.plan: no plan is named 'gold'",
    ])
    expect(problemsOf('models: [a]\nplans: { default: { models: [a] } }\n')).toHaveLength(1)
  })

  test('R4 what is left out is never at odds with what is written', () => {
    const sessionOf = (session: string) =>
      readConfig(`plans: { default: { session: ${session} } }`, {}).plans.get('default')?.session
    expect(sessionOf('{}')).toMatchObject({
      durationWarnings: [60_000, 10_000],
      idle: { limit: 60_000, warnBefore: 10_000 },
    })
    expect(sessionOf('{ maxDuration: 60s }')).toMatchObject({ durationWarnings: [10_000], idle: null })
    expect(sessionOf('{ idle: { limit: 8s } }')).toMatchObject({
      idle: { limit: 8_000, warnBefore: 4_000, nudge: null },
    })
    expect(sessionOf('{ idle: null }')).toMatchObject({ idle: null })
  })

  test('R4 environment references are filled in, and a missing one is a problem', () => {
    const yaml = `providers: { openai: { type: openai, apiKey: "$\{KEY}" } }`
    expect(readConfig(yaml, { KEY: 'sk-1' }).providers.get('openai')).toMatchObject({ apiKey: 'sk-1' })
    expect(problemsOf(yaml)).toContain('providers.openai.apiKey: the environment has no KEY')
  })

  test('R4 what is no YAML is said to be none', () => {
    expect(problemsOf('a: [1')[0]).toMatch(/^file: /)
  })
})
