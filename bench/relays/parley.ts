import { fork } from 'node:child_process'
import { openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { keyId, makeKey, type NewKey } from '../../src/auth/keys.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import { freePort, nodeOptions, type RelayKind, RelayProcess } from './relay.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
type Plan = NonNullable<PolicyInput['plans']>[string]
/** More of anything than a bench ever sends. */
const PLENTY = 1_000_000_000

/**
 * Everything is on: keys, limits, metering, session clocks, records in Redis, logs. Bounds on one caller's rate are there
 * but wide, since a flood is what is measured; clocks are long enough not to end a run.
 */
function policy(port: number, upstreamPort: number, folder: string, key: NewKey, plan: Plan): PolicyInput {
  return {
    listeners: [{ port }],
    dataDir: join(folder, 'data'),
    door: {
      messagesPerSecond: PLENTY,
      messageBurst: PLENTY,
      bytesPerSecond: PLENTY,
      byteBurst: PLENTY,
      socketsPerAddress: PLENTY,
      upgradesPerAddressPerSecond: PLENTY,
      maxSessions: 6_000,
    },
    drain: { deadline: '1s' },
    providers: {
      bench: { type: 'openai-compatible', baseUrl: `http://127.0.0.1:${upstreamPort}/v1`, apiKey: 'bench' },
    },
    models: { 'gpt-realtime': { provider: 'bench' } },
    plans: { default: { ...plan, session: { maxDuration: '1h', idle: { limit: '30m' }, ...plan.session } } },
    tenants: { bench: { keys: [{ id: keyId(key.key) ?? '', hash: key.hash }] } },
  }
}

function kind(name: string, query: string, plan: Plan = {}, options: readonly string[] = []): RelayKind {
  return {
    name,
    missing: () => null,
    async start({ upstreamPort, folder, parleyNodeOptions }) {
      const port = await freePort()
      const key = makeKey('bench', '')
      const file = join(folder, 'parley.yaml')
      writeFileSync(file, stringify(policy(port, upstreamPort, folder, key, plan)))
      const log = openSync(join(folder, 'parley.log'), 'a')
      const child = fork(MAIN, ['--only', 'broker'], {
        execArgv: [...nodeOptions(), ...options, ...parleyNodeOptions],
        env: { PATH: process.env.PATH, PARLEY_CONFIG: file },
        stdio: ['ignore', log, log, 'ipc'],
      })
      const headers = { Authorization: `Bearer ${key.key}` }
      return new RelayProcess(
        name,
        { port, path: `/v1/realtime?model=gpt-realtime${query}`, headers },
        child,
      ).listening()
    },
  }
}

export const parley = kind('parley', '')
/** The same relay, but nothing is metered, limited or booked: what all that costs is measured against it. */
export const parleyWithoutMoney = kind('parley, no money', '', {}, [
  '--import',
  new URL('./without-money.ts', import.meta.url).href,
])
/** Every limit of a plan is there, far away: what is reserved, judged and paced for sessions that keep to it. */
export const parleyLimited = kind('parley +limits', '', {
  limits: {
    session: { tokensPerMinute: PLENTY, budget: '$1000' },
    user: { tokensPerMinute: PLENTY, perDay: '$100000' },
    tenant: { sessions: 100_000, tokensPerMinute: PLENTY, perDay: '$1000000', perMonth: '$1000000' },
  },
})
/** Callers that can come back, though not for long, so that a bench sees the end, too: every event is counted and kept. */
export const parleyResumable = kind('parley +resume', '&parley=1', { session: { resumeWindow: '2s' } })
