import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, bigInt, property } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { money } from '../../src/config/quantities.ts'
import { ConfigError, readConfig } from '../../src/config/read-config.ts'
import { plan as planSchema } from '../../src/config/schema.ts'
import { toPlan } from '../../src/config/to-domain.ts'
import { writtenOverrides, writtenPlan } from '../../src/config/written.ts'
import { formatScaled } from '../../src/meter/decimal.ts'
import { instant } from '../../src/units.ts'
import { TempFolder } from '../support/parley.ts'

function problemsOf(yaml: string, folder?: string): string[] {
  try {
    readConfig(yaml, {}, folder)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((p) => `${p.path}: ${p.message}`)
    throw error
  }
}

describe('money in the policy file', () => {
  test('L5 every amount is read to the nano-dollar', () => {
    assert(
      property(bigInt({ min: 0n, max: 4_000_000_000_000_000n }), (nano) => {
        expect(money.parse(`$${formatScaled(nano, 9)}`)).toBe(Number(nano))
      }),
    )
    expect(['$20', '$0.50', '$1250.75'].map((text) => money.parse(text))).toEqual([
      20_000_000_000, 500_000_000, 1_250_750_000_000,
    ])
  })

  test.each(['20', 20, '$', '$1,000', '$-1', '$1e3', '$.5', '$0.0000000001', '$4000001', ' $1', '€5'])(
    'L5 %j is no amount',
    (text) => {
      expect(money.safeParse(text).error?.issues[0]?.message).toMatch(/^expected an amount such as \$20/)
    },
  )
})

describe('limits in the policy file', () => {
  test('L1 of the installation, of plans and of tenants, in domain units; what is left out is not limited', () => {
    const { limits, plans, tenants } = readConfig(
      `
limits: { sessions: 10, perMonth: $9000 }
plans:
  default: { limits: { session: { budget: $2 }, user: { tokensPerMinute: 300000 } } }
tenants:
  acme: { limits: { tenant: { perDay: $7.5 }, user: { tokensPerMinute: null } } }
`,
      {},
    )
    expect(limits).toEqual({
      sessions: 10,
      startsPerMinute: null,
      tokensPerMinute: null,
      budget: null,
      perDay: null,
      perMonth: 9_000_000_000_000,
    })
    expect(plans.get('default')?.limits.session).toMatchObject({ budget: 2_000_000_000, tokensPerMinute: null })
    expect(plans.get('default')?.limits.user).toMatchObject({ tokensPerMinute: 300_000, sessions: null })
    expect(tenants.get('acme')?.limits).toEqual({ tenant: { perDay: 7_500_000_000 }, user: { tokensPerMinute: null } })
  })

  test('L3 the smallest response never exceeds the longest answer, unless that is asked for', () => {
    const smallest = (yaml: string) =>
      readConfig(`plans: { default: ${yaml} }`, {}).plans.get('default')?.throttle.smallestResponse
    expect(smallest('{}')).toBe(200)
    expect(smallest('{ maxOutputTokens: 50 }')).toBe(50)
    expect(problemsOf('plans: { default: { maxOutputTokens: 50, throttle: { smallestResponse: 51 } } }')).toEqual([
      'plans.default.throttle.smallestResponse: must not exceed maxOutputTokens',
    ])
  })

  test('L3 a rate that can never let a response of the plan through is refused with the least that works', () => {
    const problems = (rate: number, more = '') =>
      problemsOf(`
models:
  gpt-realtime: { provider: loopback }
  gpt-realtime-mini: { provider: loopback }
  gpt-transcribe: { provider: loopback, kind: transcription }
limits: { tokensPerMinute: 500000 }
plans:
  default: { models: [gpt-realtime, gpt-realtime-mini], limits: { user: { tokensPerMinute: ${rate} } } }
  short: { models: [gpt-realtime], throttle: { smallestResponse: 10 }, limits: { session: { tokensPerMinute: 160 } } }
  writes: { models: [gpt-transcribe], limits: { session: { tokensPerMinute: 1 } } }
tenants: { fine: { plan: short }, poor: { plan: short${more} } }
`)
    const why = (size: number, weight: number) =>
      `lets no response through: must be at least ${weight}, because a response of ${size} tokens (throttle.smallestResponse) weighs ${weight} with 'gpt-realtime'`
    expect(problems(3_200)).toEqual([])
    expect(problems(3_199)).toEqual([`plans.default.limits.user.tokensPerMinute: ${why(200, 3_200)}`])
    expect(problems(3_200, ', limits: { session: { tokensPerMinute: 159 } }')).toEqual([
      `tenants.poor.limits.session.tokensPerMinute: ${why(10, 160)}`,
    ])
  })

  test('L3 the same of the installation, where it is certain of every plan', () => {
    const problems = (models: string) =>
      problemsOf(`
limits: { tokensPerMinute: 799 }
models: { ${models} }
plans: { default: {}, small: { throttle: { smallestResponse: 50 } } }
`).map((problem) => problem.replace(/, because.*/, ''))
    expect(problems('gpt-realtime: { provider: loopback }')).toEqual([
      'limits.tokensPerMinute: lets no response through: must be at least 800',
    ])
    // Nobody knows what it costs: it may be light.
    expect(problems('a: { provider: mine }').filter((p) => p.startsWith('limits'))).toEqual([])
  })

  test('R4 numbers that contradict each other are all told, with their paths', () => {
    expect(
      problemsOf(`
limits: { perDay: $10, perMonth: $9 }
plans:
  default:
    limits:
      session: { budget: $6, tokensPerMinute: 100 }
      user: { perDay: $5, perMonth: $4 }
      tenant: { perMonth: $5 }
    throttle: { smallestResponse: 200 }
  good: { limits: { tenant: { perDay: $5 } } }
tenants:
  fine: { plan: good, limits: { tenant: { perMonth: $5 } } }
  poor: { plan: good, limits: { tenant: { perMonth: $4 } } }
models: { a: { provider: loopback }, b: { provider: loopback, kind: transcription } }
objective:
  perDay: $11
  steps: [{ at: 100, models: { a: c } }, { at: 100, models: { a: b } }, { at: 120 }]
`),
    ).toEqual([
      'plans.default.limits.user.perDay: must not exceed limits.user.perMonth',
      'plans.default.limits.session.budget: must not exceed limits.user.perDay',
      'plans.default.limits.session.budget: must not exceed limits.tenant.perMonth',
      "plans.default.limits.session.tokensPerMinute: lets no response through: must be at least 3200, because a response of 200 tokens (throttle.smallestResponse) weighs 3200 with 'a'",
      "tenants.poor.limits.tenant.perDay: must not exceed limits.tenant.perMonth, counting the plan 'good'",
      'limits.perDay: must not exceed limits.perMonth',
      'objective.perDay: must not exceed limits.perDay',
      "objective.steps[0].models.a: no model is named 'c'",
      'objective.steps[1].at: must be above that of the step before',
      "objective.steps[1].models.a: 'b' is of another kind",
      'objective.steps[2]: changes nothing: it needs models or maxOutputTokens',
    ])
  })

  test('L6 an objective, a ledger and webhooks in domain units', () => {
    const { objective, ledger, webhooks } = readConfig(
      `
dataDir: /data
models: { a: { provider: loopback }, b: { provider: loopback } }
objective: { perDay: $200, by: "15:30", timeZone: Europe/Berlin, steps: [{ at: 100, models: { a: b } }] }
webhooks: [{ url: "https://x.example/hook", secret: whsec_bm90LWEtcmVhbC1zZWNyZXQtYXQtYWxs }]
`,
      {},
    )
    expect(objective).toEqual({
      perDay: 200_000_000_000,
      sharePercent: 90,
      by: 930,
      timeZone: 'Europe/Berlin',
      steps: [{ at: 100, siblings: new Map([['a', 'b']]), maxOutputTokens: null }],
    })
    expect(ledger).toEqual({ type: 'sqlite', file: '/data/ledger.db' })
    expect(webhooks[0]).toMatchObject({ secrets: ['whsec_bm90LWEtcmVhbC1zZWNyZXQtYXQtYWxs'], events: null })
    expect(problemsOf('objective: { perDay: $1, by: 15:00, timeZone: Mars, steps: [] }').length).toBe(2)
  })
})

describe('a price file', () => {
  test('M2 its rows replace and add to the built-in ones, found from where the policy file lies', () => {
    using folder = new TempFolder()
    const row = { id: 'x/m', provider: 'x', model: 'm', kind: 'realtime', confidence: 'operator', source: 'contract' }
    writeFileSync(
      join(folder.path, 'prices.json'),
      JSON.stringify({ version: 1, rows: [{ ...row, prices: { textIn: '0.5' } }] }),
    )
    const { prices } = readConfig('prices: { file: prices.json, unknownModels: dearest }', {}, folder.path)
    expect(prices.unknownModels).toBe('dearest')
    expect(prices.sheet.priceFor('x', 'm', instant(0))?.prices.textIn).toEqual({ pico: 500_000, per: 1 })
    expect(prices.sheet.rows.length).toBeGreaterThan(10)
  })

  test('M2 every problem of it is told beside those of the policy file', () => {
    using folder = new TempFolder()
    writeFileSync(
      join(folder.path, 'prices.yaml'),
      'version: 1\nrows: [{ id: x/m, provider: x, model: m, kind: realtime, prices: { textIn: 0.5 } }]\n',
    )
    const problems = problemsOf(
      'prices: { file: prices.yaml }\ndoor: { softBacklog: 2MiB, hardBacklog: 1MiB }',
      folder.path,
    )
    expect(problems[0]).toBe('door.softBacklog: must not exceed door.hardBacklog')
    expect(problems[1]).toMatch(/^prices\.file 'prices\.yaml' rows\[0\]\.prices\.textIn: expected dollars per million/)
    expect(problemsOf('prices: { file: none.yaml }', folder.path)).toEqual([
      "prices.file: 'none.yaml' cannot be read (ENOENT)",
    ])
  })
})

describe('a plan written back', () => {
  test('R4 is the plan it was written from, every setting of it', () => {
    const written = {
      session: {
        maxDuration: '5m',
        wrapUp: {},
        idle: { limit: '20s', warnBefore: '5s', nudge: { times: 2 } },
        resumeWindow: null,
      },
      maxOutputTokens: 800,
      tools: false,
      locked: ['instructions'],
      models: ['m'],
      limits: { session: { budget: '$0.5' }, user: { perDay: '$5.000000001' }, tenant: { sessions: 3 } },
      throttle: { smallestResponse: 20, maxDelay: '3s' },
      budgetWarnings: [95, 50],
    }
    for (const input of [{}, written]) {
      const plan = toPlan(planSchema.parse(input))
      expect(toPlan(planSchema.parse(JSON.parse(JSON.stringify(writtenPlan(plan)))))).toEqual(plan)
    }
    expect(writtenPlan(toPlan(planSchema.parse(written))).limits.user).toMatchObject({ perDay: '$5.000000001' })
  })

  test('R4 so is what a tenant has in place of it', () => {
    const [tenant] = readConfig(
      'tenants: { t: { limits: { user: { perDay: $2.5, sessions: null }, session: { budget: $1 } } } }',
      {},
    ).tenants.values()
    expect(writtenOverrides(tenant?.limits ?? {})).toEqual({
      user: { perDay: '$2.5', sessions: null },
      session: { budget: '$1' },
    })
  })
})
