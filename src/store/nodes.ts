import type { Redis } from 'ioredis'
import { z } from 'zod'
import type { Log } from '../log.ts'
import { keys } from './keys.ts'

/** How long a node counts as alive after its last beat, and how often it beats, ms. */
export const NODE_LEASE_MS = 10_000
export const NODE_BEAT_MS = 2_500

const FOR_EVER_MS = 2_147_483_647

/** One order from one node to another, about a session the other owns. */
export const NodeOrder = z.object({ type: z.literal('end'), sessionId: z.string() })
export type NodeOrder = z.infer<typeof NodeOrder>

/**
 * Who is alive, and where. A node that stops beating is dead after its lease; what it held can then be taken over.
 */
export class Nodes implements AsyncDisposable {
  readonly id: string
  readonly #redis: Redis
  readonly #subscriber: Redis
  readonly #url: string
  readonly #log: Log
  #beat: NodeJS.Timeout | null = null

  /** `url`: where other nodes and returning callers reach this one. */
  constructor(id: string, url: string, redis: Redis, log: Log) {
    this.id = id
    this.#url = url
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
      const order = NodeOrder.safeParse(JSON.parse(message))
      if (order.success) obey(order.data)
      else this.#log.warn({}, 'order from another node not understood')
    })
    await this.#subscriber.subscribe(keys.nodeOrders(this.id))
    await this.#sendBeat()
    this.#beat = setInterval(() => void this.#sendBeat(), NODE_BEAT_MS)
  }

  /** Address of a living node; null when it is dead. */
  async find(id: string): Promise<string | null> {
    return Nodes.addressOf(this.#redis, id)
  }

  /** The same, for a process that is no node itself. */
  static addressOf(redis: Redis, id: string): Promise<string | null> {
    return redis.get(keys.node(id))
  }

  /** False when nobody by that name is listening. */
  async order(nodeId: string, order: NodeOrder): Promise<boolean> {
    return (await this.#redis.publish(keys.nodeOrders(nodeId), JSON.stringify(order))) > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#beat !== null) clearInterval(this.#beat)
    this.#subscriber.disconnect()
    await this.#redis.del(keys.node(this.id)).catch(() => this.#log.warn({}, 'node lease left to expire'))
  }

  async #sendBeat(): Promise<void> {
    await this.#redis
      .set(keys.node(this.id), this.#url, 'PX', NODE_LEASE_MS)
      .catch(() => this.#log.warn({}, 'heartbeat of this node not stored'))
  }
}
