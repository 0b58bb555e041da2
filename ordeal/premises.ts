import { keyId, makeKey } from '../src/auth/keys.ts'
import type { PolicyInput } from '../src/config/schema.ts'

/** Limits of one account as the checker knows them: nano-dollars, and weighted tokens in any minute. */
export interface Caps {
  sessions: number | null
  startsPerMinute: number | null
  tokensPerMinute: number | null
  /** Of a session its budget, of everybody else the day's. */
  money: number | null
}

const NONE: Caps = { sessions: null, startsPerMinute: null, tokensPerMinute: null, money: null }
const NANO = 1_000_000_000

/** What a plan allows: a tenant is the only one of its plan. */
interface Terms {
  session: Caps
  user: Caps
  tenant: Caps
}

/** Longest answer that a plan allows, tokens: it decides how large a slice of rate and money is. */
export const MOST_OUTPUT = 200
/** Speech that a reservation allows for before anybody has spoken, ms (src/broker/money/session-meter.ts). */
export const SPEECH_AHEAD_MS = 15_000

export const PROVIDER_KEY = 'sk-provider-secret'
export const MODEL = 'gpt-realtime'
/** Billed by length, and by tokens. */
export const TRANSCRIBERS = ['gpt-transcribe', 'gpt-4o-transcribe'] as const

/**
 * Who takes part and what they may: two tenants that are poor, two that are held to a rate, one that nothing limits but the
 * installation. What grows with the run is given per session, so that a short run meets the same limits as a long one.
 */
export function premises(sessions: number) {
  const of = (caps: Partial<Caps>): Caps => ({ ...NONE, ...caps })
  const poor: Terms = {
    session: of({ money: 0.045 * NANO }),
    user: of({ money: 0.16 * NANO, sessions: 3 }),
    tenant: of({ money: Math.round(sessions * 0.0016 * NANO), sessions: 40 }),
  }
  const rated: Terms = {
    session: of({ tokensPerMinute: 14_000 }),
    user: of({ tokensPerMinute: 20_000, sessions: 3, startsPerMinute: 8 }),
    tenant: of({ tokensPerMinute: 150_000, sessions: 30, startsPerMinute: 120 }),
  }
  const free: Terms = { session: NONE, user: NONE, tenant: NONE }
  const tenants = {
    poor_a: { terms: poor, key: makeKey('test', '') },
    poor_b: { terms: poor, key: makeKey('test', '') },
    rated_a: { terms: rated, key: makeKey('test', '') },
    rated_b: { terms: rated, key: makeKey('test', '') },
    free: { terms: free, key: makeKey('test', '') },
  }
  return {
    tenants: new Map(Object.entries(tenants)),
    /** Every user has about a dozen sessions in a run. */
    users: Math.max(20, Math.round(sessions / 60)),
    admin: makeKey('admin', ''),
    installation: of({ tokensPerMinute: 1_200_000, sessions: 110 }),
  }
}
export type Premises = ReturnType<typeof premises>

/** The policy file of one broker. */
export function policyOf(
  { tenants, admin, installation }: Premises,
  at: { provider: string; redis: string; dataDir: string; ledger: string },
): PolicyInput {
  const dollars = (nano: number | null) => (nano === null ? null : `$${(nano / NANO).toFixed(9)}`)
  const shared = ({ money, ...caps }: Caps) => ({ ...caps, perDay: dollars(money) })
  return {
    listeners: [{ port: 0 }],
    dataDir: at.dataDir,
    redis: { url: at.redis },
    ledger: { sqlite: at.ledger },
    log: { level: 'info' },
    security: { adminKeyHash: admin.hash },
    door: { socketsPerAddress: 10_000, upgradesPerAddressPerSecond: 10_000, maxParkedShare: 1 },
    drain: { deadline: '4s' },
    providers: { play: { type: 'openai', apiKey: PROVIDER_KEY, baseUrl: at.provider } },
    models: {
      [MODEL]: { provider: 'play' },
      ...Object.fromEntries(TRANSCRIBERS.map((model) => [model, { provider: 'play', kind: 'transcription' }])),
    },
    limits: shared(installation),
    plans: Object.fromEntries(
      [...tenants].map(([name, { terms }]) => [
        name,
        {
          maxOutputTokens: MOST_OUTPUT,
          session: { maxDuration: '2m', resumeWindow: '3s', idle: { limit: '20s', warnBefore: '0s' } },
          throttle: { maxDelay: '3s', smallestResponse: 100, refusalsBeforeClose: 3 },
          limits: {
            session: { tokensPerMinute: terms.session.tokensPerMinute, budget: dollars(terms.session.money) },
            user: shared(terms.user),
            tenant: shared(terms.tenant),
          },
        },
      ]),
    ),
    tenants: Object.fromEntries(
      [...tenants].map(([name, { key }]) => [
        name,
        { plan: name, keys: [{ id: keyId(key.key) ?? '', hash: key.hash }] },
      ]),
    ),
  }
}
