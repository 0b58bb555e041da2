import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Instant } from '../units.ts'
import { keys } from './keys.ts'

/** How long a node counts as alive after its last beat, and how often it beats, ms. */
export const NODE_LEASE_MS = 10_000
export const NODE_BEAT_MS = 2_500

const FOR_EVER_MS = 2_147_483_647
/** Nodes of the last day that are looked at when the living ones are counted. */
const MOST_NODES = 200

/** What one node can ask another. */
export const NodeQuestion = z.discriminatedUnion('about', [
  /** How it is, and which sessions it holds. */
  z.object({ about: z.literal('itself') }),
  /** What has happened in a session that it holds, or held lately. */
  z.object({ about: z.literal('session'), sessionId: z.string() }),
])
export type NodeQuestion = z.infer<typeof NodeQuestion>

/** In place of a node's URL: nobody comes back to this process. */
export const NO_ADDRESS = ''

/** One message from one node to another: an order about a session the other owns, a question, or an answer. */
export const NodeOrder = z.discriminatedUnion('type', [
  z.object({ type: z.literal('end'), sessionId: z.string() }),
  z.object({ type: z.literal('ask'), id: z.string(), from: z.string(), question: NodeQuestion }),
  z.object({ type: z.literal('answer'), id: z.string(), body: z.unknown() }),
])
export type NodeOrder = z.infer<typeof NodeOrder>

/**
 * Who is alive, and where. A node that stops beating is dead after its lease; what it held can then be taken over.
 */
export class Nodes implements AsyncDisposable {
  readonly id: string
  /** Where other nodes and returning callers reach this one; `NO_ADDRESS` where there is nothing to come back to. */
  readonly url: string
  readonly #redis: Redis
  readonly #subscriber: Redis
  readonly #clock: Clock
  readonly #log: Log
  #beat: NodeJS.Timeout | null = null

  constructor(id: string, url: string, redis: Redis, clock: Clock, log: Log) {
    this.id = id
    this.url = url
    this.#clock = clock
    this.#redis = redis
    // A subscription waits as long as it takes; nobody is waiting for it.
    this.#subscriber = redis.duplicate({
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      commandTimeout: FOR_EVER_MS,
    })
    this.#log = log
  }

  async start(obey: (order: NodeOrder) => void): Promise<void> {
    this.#subscriber.on('error', () => undefined)
    this.#subscriber.on('message', (_channel, message: string) => {
      const order = readOrder(message)
      if (order !== null) obey(order)
      else this.#log.warn({}, 'order from another node not understood')
    })
    await this.#subscriber.subscribe(keys.nodeOrders(this.id))
    await this.#sendBeat()
    this.#beat = setInterval(() => void this.#sendBeat(), NODE_BEAT_MS)
    // Whoever looks for this node when Redis is back should find it at once.
    this.#redis.on('ready', this.#sendBeat)
  }

  /** Address of a living node; null when it is dead. */
  async find(id: string): Promise<string | null> {
    return new Census(this.#redis).find(id)
  }

  /** When a node was last known to be alive, to within a beat; null when that is more than a day ago. */
  async lastBeat(id: string): Promise<Instant | null> {
    return new Census(this.#redis).lastBeat(id)
  }

  /**
   * Ids of nodes that are alive and hold sessions, this one among them; at most `MOST_NODES`. A process of workers alone has
   * a name, but no address: it holds none, and answers no questions.
   */
  async living(): Promise<string[]> {
    const ids = await this.#redis.zrevrange(keys.beats, 0, MOST_NODES - 1)
    const urls = await Promise.all(ids.map((id) => this.find(id)))
    return ids.filter((_, i) => urls[i] !== null && urls[i] !== NO_ADDRESS)
  }

  /** False when nobody by that name is listening. */
  async order(nodeId: string, order: NodeOrder): Promise<boolean> {
    return (await this.#redis.publish(keys.nodeOrders(nodeId), JSON.stringify(order))) > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat)
    this.#redis.off('ready', this.#sendBeat)
    this.#subscriber.disconnect()
    await this.#redis.del(keys.node(this.id)).catch(() => this.#log.warn({}, 'node lease left to expire'))
  }

  readonly #sendBeat = async (): Promise<void> => {
    const stored = [
      this.#redis.set(keys.node(this.id), this.url, 'PX', NODE_LEASE_MS),
      this.#redis.zadd(keys.beats, String(this.#clock.now()), this.id),
    ]
    await Promise.all(stored).catch(() => this.#log.warn({}, 'heartbeat of this node not stored'))
  }
}

/** What a process that is no node itself can know of the nodes. */
export class Census {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Address of a living node; null when it is dead. */
  find(id: string): Promise<string | null> {
    return this.#redis.get(keys.node(id))
  }

  /** When a node was last known to be alive, to within a beat; null when that is more than a day ago. */
  async lastBeat(id: string): Promise<Instant | null> {
    const score = await this.#redis.zscore(keys.beats, id)
    return score === null ? null : (Number(score) as Instant)
  }

  /**
   * Is a node dead, and was it so a lease ago already? A lease that has run out while Redis was away says nothing: the
   * node could not renew it, and needs a moment to do so.
   */
  async isSurelyDead(id: string, now: Instant): Promise<boolean> {
    if ((await this.find(id)) !== null) {
      await this.#redis.zrem(keys.deadNodes, id)
      return false
    }
    await this.#redis.zadd(keys.deadNodes, 'NX', String(now), id)
    const since = await this.#redis.zscore(keys.deadNodes, id)
    return since !== null && now - Number(since) >= CONFIRMED_AFTER_MS
  }

  /** Forgets nodes that nobody can ask about any more. */
  async prune(now: Instant): Promise<void> {
    for (const key of [keys.beats, keys.deadNodes]) await this.#redis.zremrangebyscore(key, 0, now - REMEMBERED_MS)
  }
}

/** Between two sweeps of the workers, so that the second of them finds a dead node confirmed, ms. */
const CONFIRMED_AFTER_MS = 8_000
const REMEMBERED_MS = 24 * 3_600_000

function readOrder(message: string): NodeOrder | null {
  try {
    return NodeOrder.safeParse(JSON.parse(message)).data ?? null
  } catch {
    return null
  }
}
