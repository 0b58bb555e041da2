import { expect, test } from 'vitest'
import { keyId, makeKey, type NewKey } from '../../src/auth/keys.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import { readResponseUsage } from '../../src/meter/read-usage.ts'
import { weighted, weightsOf } from '../../src/meter/weights.ts'
import type { Loopback } from '../../src/upstream/loopback/server.ts'
import { type Attack, Attacker } from '../support/attacker.ts'
import { Caller } from '../support/caller.ts'
import { NodeProcess } from '../support/node-process.ts'
import { rowOf } from '../support/prices.ts'
import { PrivateRedis } from '../support/private-redis.ts'
import { startProvider } from '../support/provider.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

/** Weighted tokens in any minute, whosever limit it is. */
const LIMIT = 30_000
/** Long enough that what was bought first has aged. */
const ATTACK_MS = 66_000
const WINDOW_MS = 60_000
const ATTACKS: readonly Attack[] = ['turns', 'commits', 'asks']

const throttle = { maxDelay: '3s', smallestResponse: 50, refusalsBeforeClose: 50 }
const plans: PolicyInput['plans'] = {
  default: {},
  each: { limits: { session: { tokensPerMinute: LIMIT } }, throttle },
  users: { limits: { user: { tokensPerMinute: LIMIT } }, throttle },
  whole: { limits: { tenant: { tokensPerMinute: LIMIT } }, throttle },
  fair: { limits: { session: { tokensPerMinute: 10_000_000, budget: '$50' } }, session: { idle: null } },
}
const tenants = { solo: 'each', people: 'users', one: 'whole', three: 'whole', fair: 'fair' } as const
type Tenant = keyof typeof tenants
const keys = Object.fromEntries(Object.keys(tenants).map((name) => [name, makeKey('test', '')])) as Record<
  Tenant,
  NewKey
>

/** A scope that is attacked: `isOne` where the limit is shared by all sessions of the scenario. */
interface Scenario {
  name: string
  tenant: Tenant
  user: string | null
  brokers: 1 | 3
  isShared: boolean
}
const scenarios: readonly Scenario[] = [
  { name: 'each session', tenant: 'solo', user: null, brokers: 3, isShared: false },
  { name: 'a user through one broker', tenant: 'people', user: 'ann', brokers: 1, isShared: true },
  { name: 'a user through three brokers', tenant: 'people', user: 'bob', brokers: 3, isShared: true },
  { name: 'a tenant through one broker', tenant: 'one', user: null, brokers: 1, isShared: true },
  { name: 'a tenant through three brokers', tenant: 'three', user: null, brokers: 3, isShared: true },
]

async function credential(node: NodeProcess, tenant: Tenant, user: string | null): Promise<string> {
  if (user === null) return keys[tenant].key
  const answer = await fetch(`${node.url}/v1/realtime/client_secrets`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${keys[tenant].key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ session: { type: 'realtime', model: 'gpt-realtime' }, parley: { user } }),
  })
  return ((await answer.json()) as { value: string }).value
}

/** The most weighted tokens that these sessions have bought in any window, by the provider's own bills. */
function mostInAWindow(loopback: Loopback, sessions: ReadonlySet<string>): number {
  const weights = weightsOf(rowOf('gpt-realtime'))
  const bought = loopback.bills
    .filter((bill) => sessions.has(bill.session) && bill.kind === 'response')
    .map(({ at, usage }) => ({ at, tokens: weighted(readResponseUsage(usage) ?? expect.fail('no usage'), weights) }))
  const inWindow = bought.map(({ at }) =>
    bought.filter((b) => b.at > at - WINDOW_MS && b.at <= at).reduce((sum, b) => sum + b.tokens, 0),
  )
  return Math.max(0, ...inWindow)
}

/** A caller that keeps to its limits: numbered audio both ways, 25 frames a second, as it is spoken. */
class Neighbour {
  readonly caller: Caller
  sent = 0
  readonly #upstream: RawUpstream
  readonly #line: number
  #said = 0

  constructor(caller: Caller, upstream: RawUpstream) {
    this.caller = caller
    this.#upstream = upstream
    this.#line = upstream.sockets.length - 1
    this.#says({ type: 'response.created', response: { id: `resp_${this.#line}`, status: 'in_progress' } })
  }

  beat(): void {
    this.caller.send({ type: 'input_audio_buffer.append', audio: numbered(this.sent++) })
    this.#says({ type: 'response.output_audio.delta', item_id: 'i', delta: numbered(this.#said++) })
  }

  /** What arrived on either side, by number; waits for the last of it. */
  async arrived(): Promise<{ up: number[]; down: number[] }> {
    const { caller } = this
    this.#says({ type: 'x.last' })
    await caller.next('x.last')
    const up = () => numbersIn(this.#upstream.heard[this.#line] ?? [], 'input_audio_buffer.append', 'audio')
    await this.#upstream.until(() => up().length >= this.sent)
    return { up: up(), down: numbersIn(caller.frames, 'response.output_audio.delta', 'delta') }
  }

  #says(event: object): void {
    this.#upstream.sockets[this.#line]?.send(JSON.stringify(event))
  }
}

function numbered(n: number): string {
  const audio = Buffer.alloc(1_920)
  audio.writeUInt32LE(n)
  return audio.toString('base64')
}

function numbersIn(frames: readonly string[], type: string, field: string): number[] {
  return frames
    .map((frame) => JSON.parse(frame) as Record<string, string>)
    .filter((event) => event.type === type)
    .map((event) => Buffer.from(String(event[field]), 'base64').readUInt32LE(0))
}

test('L3 whoever floods buys no more in any minute than its limit and 5 %, through one broker or three, and disturbs nobody', async () => {
  await using stack = new AsyncDisposableStack()
  const redis = stack.use(await PrivateRedis.start())
  const loopback = await startProvider(stack, 8)
  const aside = stack.use(await RawUpstream.start())
  const policy: Partial<PolicyInput> = {
    plans,
    tenants: Object.fromEntries(
      Object.entries(tenants).map(([name, plan]) => {
        const key = keys[name as Tenant]
        return [name, { plan, keys: [{ id: keyId(key.key) ?? '', hash: key.hash }] }]
      }),
    ),
    providers: { aside: { type: 'openai', apiKey: 'sk-provider-secret', baseUrl: aside.baseUrl } },
    models: { 'gpt-realtime': { provider: 'play' }, aside: { provider: 'aside', model: 'gpt-realtime' } },
    door: { messagesPerSecond: 5_000, messageBurst: 5_000, bytesPerSecond: '8MiB', byteBurst: '8MiB' },
  }
  const options = { provider: loopback.baseUrl, redis: redis.url, policy, only: 'broker' as const }
  const nodes = await Promise.all([0, 1, 2].map(() => NodeProcess.start(options, stack)))

  const neighbours: Neighbour[] = []
  for (const node of nodes) {
    const caller = stack.use(await Caller.connect(node.door('model=aside'), keys.fair.key))
    neighbours.push(new Neighbour(caller, aside))
  }
  const beat = setInterval(() => neighbours.forEach((neighbour) => void neighbour.beat()), 40)
  stack.defer(() => clearInterval(beat))

  const over = AbortSignal.timeout(ATTACK_MS)
  const attacked = scenarios.map((scenario) => ({
    scenario,
    attackers: ATTACKS.map((attack, i) => {
      const node = nodes[scenario.brokers === 1 ? 0 : i] as NodeProcess
      const connect = async () => new Caller(node.door(), await credential(node, scenario.tenant, scenario.user))
      return new Attacker(attack, connect, over)
    }),
  }))
  await Promise.all(attacked.flatMap(({ attackers }) => attackers.map((attacker) => attacker.run())))

  const most = attacked.flatMap(({ scenario, attackers }) => {
    const sessions = attackers.flatMap((attacker) => [...attacker.sessions])
    const groups = scenario.isShared ? [new Set(sessions)] : sessions.map((id) => new Set([id]))
    return [{ name: scenario.name, bought: Math.max(...groups.map((group) => mostInAWindow(loopback, group))) }]
  })
  for (const { name, bought } of most) {
    expect(bought, name).toBeLessThanOrEqual(LIMIT * 1.05)
    // The limit is what held them back, and nothing else.
    expect(bought, name).toBeGreaterThan(LIMIT * 0.5)
  }
  clearInterval(beat)
  for (const neighbour of neighbours) {
    const { up, down } = await neighbour.arrived()
    const all = Array.from({ length: neighbour.sent }, (_, n) => n)
    expect(up).toEqual(all)
    expect(down).toEqual(all)
    expect(all.length).toBeGreaterThan(ATTACK_MS / 80)
  }
}, 120_000)
