import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { systemClock } from '../src/clock.ts'
import { INSTALLATION } from '../src/limits/accounts.ts'
import { keys } from '../src/store/keys.ts'
import { Loopback } from '../src/upstream/loopback/server.ts'
import { voices } from '../test/support/parley.ts'
import { PrivateRedis } from '../test/support/private-redis.ts'
import { chaosPlan, showMishap } from './chaos-plan.ts'
import { checkBooks } from './check-books.ts'
import { checkEnds, checkLeases } from './check-ends.ts'
import { checkRefusals, checkSpending } from './check-limits.ts'
import { Conduct } from './conduct.ts'
import { Dice } from './dice.ts'
import { type Evidence, type Finding, recordsOf } from './evidence.ts'
import { Fleet } from './fleet.ts'
import { PROVIDER_KEY, premises as premisesOf } from './premises.ts'
import { scriptOf } from './script.ts'
import { Visitor } from './visitor.ts'
import { Witness } from './witness.ts'

export interface Order {
  readonly sessions: number
  readonly seed: number
  readonly brokers: number
  /** Longest time for the sessions. */
  readonly lengthMs: number
  /** Callers at once. */
  readonly callers: number
  readonly keep: boolean
}

/** Of what has been spent when all sessions are through, so much more may be spent by those who come then. */
const LAST_STRETCH_NANO = 500_000_000

/** One whole run. Returns what became of each promise. */
export async function ordeal(order: Order, say: (line: string) => void): Promise<Finding[]> {
  await using stack = new AsyncDisposableStack()
  const stopped = (signal: NodeJS.Signals) => {
    say(`${signal}: ending what was started`)
    void stack.disposeAsync().finally(() => process.exit(130))
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stopped)
  stack.defer(() => void process.off('SIGINT', stopped).off('SIGTERM', stopped))
  const folder = mkdtempSync(join(tmpdir(), 'parley-ordeal-'))
  if (order.keep) say(`logs in ${folder}`)
  else stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const plan = chaosPlan(order.seed, order.brokers, order.lengthMs)
  say(
    `seed ${order.seed}: ${order.sessions} sessions, ${order.callers} at once, ${order.brokers} brokers; mishaps as far as it lasts:`,
  )
  for (const mishap of plan) say(showMishap(mishap))

  await voices.ready
  // Every reply that Redis gives is on the disk before it is given: what is acknowledged outlives its death.
  const server = stack.use(await PrivateRedis.start(['--appendfsync', 'always']))
  const socket = server.url.replace('unix:', '')
  const provider = stack.use(
    await Loopback.start({ listen: { port: 0 }, clock: systemClock, voices, key: PROVIDER_KEY }),
  )
  const premises = premisesOf(order.sessions)
  const witness = new Witness()
  const places = { folder, redis: socket, provider: Number(new URL(provider.baseUrl).port) }
  const fleet = stack.use(await Fleet.start(order.brokers, premises, places, Dice.of(order.seed, 'doors')))
  const redis = new Redis({ path: socket, retryStrategy: () => 200 })
  redis.on('error', () => undefined)
  stack.defer(() => redis.disconnect())

  const began = Date.now()
  const conduct = new Conduct(plan, fleet.brokers, server, order.seed)
  let number = 0
  const crowd = async (isEnough: () => boolean) => {
    const seat = async (first: number) => {
      await after(first * 25)
      while (!isEnough()) {
        const dice = Dice.of(order.seed, `caller ${++number}`)
        const script = scriptOf(dice, [...premises.tenants.keys()], premises.users)
        if (!(await new Visitor(script, dice, fleet, premises, witness).visit())) await after(dice.whole(200, 600))
      }
    }
    await Promise.all(Array.from({ length: order.callers }, (_, i) => seat(i)))
  }
  const isLate = () => Date.now() - began > order.lengthMs
  await crowd(() => witness.sessions.size >= order.sessions || isLate())
  const admitted = witness.sessions.size
  const took = Date.now() - began

  // The installation's own budget is set so that it ends while some still talk.
  const spent = await spentOf(redis)
  premises.installation.money = spent + LAST_STRETCH_NANO
  fleet.reload(premises)
  const last = number + Math.min(order.callers * 2, order.sessions / 4)
  await crowd(() => number >= last)
  await conduct.stop()
  say(
    `\n${admitted} sessions let in within ${Math.round(took / 1_000)} s, then ${witness.sessions.size - admitted} ` +
      `until the money of all was gone; ${witness.attempts.length} tries, ${sum(witness, 'resumes')} resumes, ` +
      `${witness.doubles.tried} double ones, ${witness.delayed} responses delayed`,
  )
  say([...conduct.done].map(([kind, n]) => `${kind.replaceAll('_', ' ')} ${n}`).join(', '))

  const evidence: Evidence = { fleet, premises, witness, provider, redis, ledger: join(folder, 'ledger.db') }
  const findings: Finding[] = [await checkLeases(evidence), ...(await checkEnds(evidence))]
  const { findings: books, owned, unknown } = await checkBooks(evidence)
  findings.push(...books, ...checkSpending(evidence, owned, unknown))
  findings.push(checkRefusals(evidence, owned, await recordsOf(evidence.ledger)))
  findings.push(enough(order, admitted), singleEntry(witness))
  return findings
}

/** What the installation has spent today, as its limits are judged by: estimates among it. */
async function spentOf(redis: Redis): Promise<number> {
  const day = `day:${new Date().toISOString().slice(0, 10)}`
  return Number((await redis.get(keys.spent(keys.limits, 'installation', INSTALLATION, day))) ?? 0)
}

const sum = ({ sessions }: Witness, name: 'resumes') => [...sessions.values()].reduce((n, s) => n + s[name], 0)

function enough({ sessions }: Order, admitted: number): Finding {
  const broken = admitted >= sessions ? [] : [`${admitted} of ${sessions}`]
  return {
    promise: 'as many sessions as were ordered',
    found: String(admitted),
    isKept: broken.length === 0,
    examples: broken,
  }
}

function singleEntry({ doubles }: Witness): Finding {
  const examples = doubles.bothIn === 0 ? [] : [`${doubles.bothIn} times both came in`]
  const found = `${doubles.tried} double resumes`
  return { promise: 'one token brings one caller back', found, isKept: doubles.bothIn === 0, examples }
}
