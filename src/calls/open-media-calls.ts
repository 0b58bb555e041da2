import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Bookkeeper } from '../broker/money/bookkeeper.ts'
import { LeaseBeat } from '../broker/money/lease-beat.ts'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { LimitStore } from '../limits/limit-store.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { Answers } from '../store/answers.ts'
import { NO_ADDRESS, Nodes } from '../store/nodes.ts'
import { RedisLimitStore } from '../store/redis-limit-store.ts'
import type { Store } from '../store/store.ts'
import { LoopbackMedia } from '../upstream/loopback/media/media-server.ts'
import type { Announcer } from '../webhooks/announcer.ts'
import type { BuyerDeps } from './buyer.ts'
import { Treasury } from './deal.ts'
import { PaidMediaCalls } from './paid-media-calls.ts'
import { ProviderLane } from './provider-lane.ts'
import { Providers } from './providers.ts'

export interface MediaCallsDeps {
  config(): Config
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly metrics: Metrics
  /** Told of every level of a budget that a call finds. */
  readonly announcer: Pick<Announcer, 'budgetLevel'>
  /** Of a process that has them already; left out: this process is no node, and gets its own. */
  readonly node?: { readonly limits: LimitStore; readonly keeper: Bookkeeper; readonly loopbackSocket: string }
  /** In place of chance, for tests: 0 to 1. */
  readonly random?: () => number
}

export interface OpenMediaCalls extends AsyncDisposable {
  readonly calls: PaidMediaCalls
  /** For whoever buys in another way: forwarded requests. */
  readonly buying: BuyerDeps
}

/**
 * Everything that paid calls need in one process: lanes to the providers, reservations that are renewed, a book that
 * survives kill -9. Dispose it last, so that what was bought is settled.
 */
export async function openMediaCalls(deps: MediaCallsDeps): Promise<OpenMediaCalls> {
  const { config, clock, log, store, metrics, random = Math.random } = deps
  await using stack = new AsyncDisposableStack()
  const { limits, keeper, loopbackSocket } = deps.node ?? (await ownNode(deps, stack))
  const treasury = new Treasury({
    ...{ config, clock, limits, keeper },
    budgetPassed: (level, who) => void deps.announcer.budgetLevel(level, who),
  })
  stack.use(new LeaseBeat(clock, log, limits, () => treasury.leases()))
  const lanes = new Map<string, ProviderLane>()
  stack.defer(() => {
    for (const lane of lanes.values()) lane[Symbol.dispose]()
  })
  const lane = (provider: string) => {
    const held = lanes.get(provider) ?? new ProviderLane(clock, () => config().media.calls)
    lanes.set(provider, held)
    return held
  }
  const providers = stack.use(
    new Providers({
      clock,
      loopbackSocket,
      timeout: () => config().media.calls.timeout,
      onHeaders: (provider, headers) => lane(provider).heard(headers),
    }),
  )
  const buying: BuyerDeps = { config, clock, log, metrics, treasury, providers, lane, random }
  const calls = new PaidMediaCalls({ ...buying, answers: new Answers(store.redis, clock) })
  const all = stack.move()
  return { calls, buying, [Symbol.asyncDispose]: () => all.disposeAsync() }
}

/** A process that is no node has a name all the same, so that nobody takes its book for that of a dead one. */
async function ownNode(
  { config, clock, log, store, metrics }: MediaCallsDeps,
  stack: AsyncDisposableStack,
): Promise<{ limits: LimitStore; keeper: Bookkeeper; loopbackSocket: string }> {
  const id = randomUUID()
  const { dataDir, providers } = config()
  const nodes = stack.use(new Nodes(id, NO_ADDRESS, store.redis, clock, log))
  await nodes.start(() => undefined)
  const limits = new RedisLimitStore(store.redis)
  const keeper = stack.use(new Bookkeeper(id, dataDir, limits, clock, log, metrics))
  await keeper.recover(dataDir, async (other) => (await nodes.find(other)) !== null)
  const loopbackSocket = socketPath(dataDir, id)
  if ([...providers.values()].some(({ type }) => type === 'loopback'))
    stack.use(await LoopbackMedia.start(loopbackSocket, clock))
  return { limits, keeper, loopbackSocket }
}

/** A socket path must stay short, whatever the data folder. */
function socketPath(dataDir: string, id: string): string {
  const path = join(dataDir, `loopback-${id.slice(0, 8)}.sock`)
  return Buffer.byteLength(path) < 100 ? path : `/tmp/parley-${id}.sock`
}
