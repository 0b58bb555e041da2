import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { systemClock } from '../../src/clock.ts'
import { FolderStorage } from '../../src/storage/folder-storage.ts'
import { bytes } from '../../src/units.ts'
import { Loopback } from '../../src/upstream/loopback/server.ts'
import { voices } from '../../test/support/parley.ts'
import { PrivateRedis } from '../../test/support/private-redis.ts'
import { chaosPlan, showMishap } from '../chaos-plan.ts'
import { Conduct } from '../conduct.ts'
import { Dice } from '../dice.ts'
import type { Finding } from '../evidence.ts'
import { Member } from '../fleet.ts'
import { PROVIDER_KEY } from '../premises.ts'
import { checkFairness } from './check-fairness.ts'
import { checkJobs } from './check-jobs.ts'
import { checkPurchases } from './check-purchases.ts'
import { checkRemains } from './check-remains.ts'
import { Customer, type Order } from './customer.ts'
import { HookReceiver } from './hook-receiver.ts'
import { CROWD, mediaPolicy, mediaPremises } from './media-premises.ts'

export interface MediaOrder {
  readonly jobs: number
  readonly tenants: number
  readonly seed: number
  /** Longest time for the jobs. */
  readonly lengthMs: number
  /** Customers at once. */
  readonly customers: number
  readonly keep: boolean
}

const DOORS = 2
const WORKERS = 2
/** Share of the jobs that one tenant orders, without waiting for any, and how many of its requests are under way at once. */
const CROWDED = 0.75
const CROWD_SEATS = 4

/** One whole run of the batch door. Returns what became of each promise. */
export async function mediaOrdeal(order: MediaOrder, say: (line: string) => void): Promise<Finding[]> {
  await using stack = new AsyncDisposableStack()
  const stopped = (signal: NodeJS.Signals) => {
    say(`${signal}: ending what was started`)
    void stack.disposeAsync().finally(() => process.exit(130))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stopped)
  stack.defer(() => void process.off('SIGINT', stopped).off('SIGTERM', stopped))
  const folder = mkdtempSync(join(tmpdir(), 'parley-media-ordeal-'))
  if (order.keep) say(`logs in ${folder}`)
  else stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const plan = chaosPlan(order.seed, DOORS + WORKERS, order.lengthMs)
  say(`seed ${order.seed}: ${order.jobs} jobs of ${order.tenants} tenants, ${order.customers} customers at once`)
  say(`${DOORS} doors (0 to ${DOORS - 1}) and ${WORKERS} processes of workers`)

  await voices.ready
  const server = stack.use(await PrivateRedis.start(['--appendfsync', 'always']))
  const socket = server.url.replace('unix:', '')
  const provider = stack.use(
    await Loopback.start({ listen: { port: 0 }, clock: systemClock, voices, key: PROVIDER_KEY }),
  )
  const hooks = stack.use(await HookReceiver.start())
  const storagePath = join(folder, 'media')
  mkdirSync(storagePath)
  const premises = mediaPremises(order.tenants)
  const places = { folder, redis: socket, provider: Number(new URL(provider.baseUrl).port) }
  const members: Member[] = []
  for (let i = 0; i < DOORS + WORKERS; i++) {
    const only = i < DOORS ? 'broker' : 'workers'
    const member = stack.use(await Member.make(`${only}-${i}`, only, places))
    member.write((at) => mediaPolicy(premises, { ...at, storage: storagePath, hooks: hooks.port }))
    members.push(member)
  }
  await Promise.all(members.map((member) => member.bringUp()))
  const redis = new Redis({ path: socket, retryStrategy: () => 200, maxRetriesPerRequest: null })
  redis.on('error', () => undefined)
  stack.defer(() => redis.disconnect())

  const doors = Dice.of(order.seed, 'doors')
  const door = () => {
    const up = members.flatMap(({ url }) => url ?? [])
    return up.length === 0 ? null : doors.pick(up)
  }
  const world = {
    ...{ orders: new Map<string, Order>(), doubles: [] as string[], oddities: [] as string[], door },
    hook: `http://127.0.0.1:${hooks.port}/hook`,
  }
  const began = Date.now()
  const conduct = new Conduct(plan, members, server, order.seed)
  let number = 0
  const customer = (among: readonly string[]) => {
    const dice = Dice.of(order.seed, `customer ${++number}`)
    const tenant = dice.pick(among)
    return new Customer(tenant, premises.tenants.get(tenant)?.key ?? '', dice, world)
  }
  const isTime = () => Date.now() - began < order.lengthMs
  const crowded = Math.round(order.jobs * CROWDED)
  const waiting: Array<() => Promise<void>> = []
  const crowd = async () => {
    for (let i = 0; i * CROWD_SEATS < crowded && isTime(); i++) {
      const one = customer([CROWD])
      const made = await one.order()
      if (made !== null) waiting.push(() => one.follow(made, order.lengthMs))
    }
  }
  const rest = [...premises.tenants.keys()].filter((tenant) => tenant !== CROWD)
  let left = order.jobs - crowded
  const seat = async (first: number) => {
    await after(first * 50)
    while (left-- > 0 && isTime()) await customer(rest).visit()
  }
  await Promise.all([
    ...Array.from({ length: CROWD_SEATS }, crowd),
    ...Array.from({ length: order.customers }, (_, i) => seat(i)),
  ])
  say(`${rest.length} tenants have been served after ${Math.round((Date.now() - began) / 1_000)} s`)
  // All at once would be a thousand requests; whoever has ended is passed by quickly.
  const follower = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next()
  }
  await Promise.all(Array.from({ length: order.customers }, follower))
  const took = Date.now() - began
  await conduct.stop()
  for (const mishap of plan.filter(({ at }) => at < took)) say(showMishap(mishap))
  say(`\n${world.orders.size} jobs within ${Math.round(took / 1_000)} s, ${provider.media.bills.length} paid calls`)
  say([...conduct.done].map(([kind, n]) => `${kind.replaceAll('_', ' ')} ${n}`).join(', '))

  const storage = await FolderStorage.open(storagePath, bytes(0), systemClock.now())
  const evidence = {
    ...{ premises, hooks, redis, storage, orders: world.orders, doubles: world.doubles, oddities: world.oddities },
    ...{ bills: provider.media.bills, ledger: join(folder, 'ledger.db'), door: await openDoor(door) },
  }
  return [
    ...(await checkJobs(evidence)),
    await checkFairness(evidence),
    ...(await checkPurchases(evidence)),
    ...(await checkRemains(evidence)),
    enough(order, world.orders.size),
  ]
}

async function openDoor(door: () => string | null): Promise<string> {
  for (let tries = 0; tries < 100; tries++) {
    const url = door()
    if (url !== null && (await fetch(`${url}/readyz`).catch(() => null))?.status === 200) return url
    await after(200)
  }
  throw new Error('no door comes back')
}

function enough({ jobs }: MediaOrder, made: number): Finding {
  const broken = made >= jobs ? [] : [`${made} of ${jobs}`]
  return { promise: 'as many jobs as were ordered', found: String(made), isKept: broken.length === 0, examples: broken }
}
