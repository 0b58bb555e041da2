import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Principal } from '../auth/principal.ts'
import { type ViewerDeps, viewerOf } from '../auth/viewer.ts'
import type { LimitStore } from '../limits/limit-store.ts'
import type { Account, AccountState } from '../limits/limits.ts'
import { dollars } from '../meter/decimal.ts'
import { nanoUsd } from '../units.ts'

export interface LimitRouteDeps extends ViewerDeps {
  limits: LimitStore
  /** The accounts that a principal may look at; for the operator, who is null, the installation's alone. */
  accountsOf(principal: Principal | null): readonly Account[]
  /** What a tenant's files take; left out where there is no batch door. */
  mediaUse?(tenant: string): Promise<MediaUse>
}

/** Bytes and number of a tenant's files. Null: no limit. */
export interface MediaUse {
  readonly storage: { readonly limit: number | null; readonly now: number }
  readonly files: { readonly limit: number | null; readonly now: number }
}

const whole = z.int().nullable()
const money = z.object({ nano: z.int(), usd: z.string() })
const LimitsView = z
  .object({
    account: z.object({ kind: z.enum(['session', 'user', 'tenant', 'installation']), id: z.string() }),
    sessions: z.object({ limit: whole, now: z.int(), left: whole }),
    starts_per_minute: z.object({ limit: whole, last_minute: z.int(), left: whole }),
    tokens_per_minute: z.object({
      limit: whole,
      last_minute: z.int().openapi({ description: 'Weighted tokens settled in the last 60 s' }),
      held: z.int().openapi({ description: 'What responses under way may still buy' }),
      left: whole,
      refills_at: z.string().nullable().openapi({ description: 'When there is room again; null while there is' }),
    }),
    money: z.array(
      z.object({
        limit: z.enum(['budget', 'day', 'month']),
        cap: money.nullable(),
        spent: money,
        held: money,
        left: money.nullable(),
      }),
    ),
    media: z
      .object({
        storage_bytes: z.object({ limit: whole, now: z.int(), left: whole }),
        files: z.object({ limit: whole, now: z.int(), left: whole }),
      })
      .nullable()
      .openapi({ description: 'What the files of a tenant take, with what is promised to uploads' }),
  })
  .openapi('Limits')

const route = createRoute({
  method: 'get',
  path: '/v1/limits',
  summary: 'What is left of every limit, and when it refills',
  responses: {
    200: {
      description: 'One entry an account',
      content: { 'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(LimitsView) }) } },
    },
  },
})

export function limitRoutes(app: OpenAPIHono, deps: LimitRouteDeps): void {
  app.openapi(route, async (c) => {
    const accounts = deps.accountsOf(await viewerOf(deps, c.req))
    c.header('Cache-Control', 'no-store')
    const states = await deps.limits.state(accounts)
    const data = states.map(async (state) => {
      const use = state.kind === 'tenant' ? ((await deps.mediaUse?.(state.id)) ?? null) : null
      return { ...viewOf(state), media: use === null ? null : mediaOf(use) }
    })
    return c.json({ object: 'list' as const, data: await Promise.all(data) }, 200)
  })
}

const left = (limit: number | null, used: number): number | null => (limit === null ? null : Math.max(0, limit - used))
const moneyOf = (nano: number) => ({ nano, usd: dollars(nanoUsd(nano)) })

function mediaOf({ storage, files }: MediaUse): z.infer<typeof LimitsView>['media'] {
  return {
    storage_bytes: { ...storage, left: left(storage.limit, storage.now) },
    files: { ...files, left: left(files.limit, files.now) },
  }
}

function viewOf(state: AccountState): Omit<z.infer<typeof LimitsView>, 'media'> {
  const { limits, sessions, startsLastMinute, tokensLastMinute, tokensHeld, tokensRefillAt } = state
  const caps = { budget: limits.budget, day: limits.perDay, month: limits.perMonth }
  return {
    account: { kind: state.kind, id: state.id },
    sessions: { limit: limits.sessions, now: sessions, left: left(limits.sessions, sessions) },
    starts_per_minute: {
      limit: limits.startsPerMinute,
      last_minute: startsLastMinute,
      left: left(limits.startsPerMinute, startsLastMinute),
    },
    tokens_per_minute: {
      limit: limits.tokensPerMinute,
      last_minute: tokensLastMinute,
      held: tokensHeld,
      left: left(limits.tokensPerMinute, tokensLastMinute + tokensHeld),
      refills_at: tokensRefillAt === null ? null : new Date(tokensRefillAt).toISOString(),
    },
    money: state.money.map(({ limit, spent, held }) => {
      const cap = caps[limit]
      const rest = left(cap, spent + held)
      return {
        limit,
        cap: cap === null ? null : moneyOf(cap),
        spent: moneyOf(spent),
        held: moneyOf(held),
        left: rest === null ? null : moneyOf(rest),
      }
    }),
  }
}
