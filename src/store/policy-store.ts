import type { Redis } from 'ioredis'
import { type StoredPolicy, StoredTenant } from '../config/stored-policy.ts'
import type { Log } from '../log.ts'
import { keys } from './keys.ts'

const FOR_EVER_MS = 2_147_483_647
const TENANT = 'tenant:'
const PLAN = 'plan:'

/** Members to set, by name; null removes one. */
export interface PolicyChange {
  readonly tenants?: ReadonlyMap<string, StoredTenant | null>
  readonly plans?: ReadonlyMap<string, unknown>
}

/**
 * Changes the stored policy, if it still is what the change was decided upon.
 *   KEYS[1]  the policy   HASH  `tenant:<id>`, `plan:<name>` → JSON, `revision` → count of changes, `last` → their newest id
 *   ARGV     revision it was read at, id of the change, channel to tell, then pairs of member and JSON ('' removes)
 *   Returns  the new revision, or -1 when somebody else was faster
 * A script because two operators may change what depends on one another: a plan is removed, a tenant is put on it. The id is
 * remembered because a lost reply makes the client send the same change again.
 */
const CHANGE = `
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or '0')
if redis.call('HGET', KEYS[1], 'last') == ARGV[2] then return revision end
if revision ~= tonumber(ARGV[1]) then return -1 end
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i])
  else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
redis.call('HSET', KEYS[1], 'revision', revision + 1, 'last', ARGV[2])
redis.call('PUBLISH', ARGV[3], revision + 1)
return revision + 1`

type WithChange = Redis & { changePolicy(key: string, ...args: string[]): Promise<number> }

/** Tenants, keys and plans that admin routes have made: one hash, read whole, because it is small and seldom changes. */
export class PolicyStore {
  readonly #redis: WithChange
  readonly #log: Log

  constructor(redis: Redis, log: Log) {
    redis.defineCommand('changePolicy', { numberOfKeys: 1, lua: CHANGE })
    this.#redis = redis as WithChange
    this.#log = log
  }

  async revision(): Promise<number> {
    return Number((await this.#redis.hget(keys.policy, 'revision')) ?? 0)
  }

  /** A member that cannot be read is left out and logged. */
  async read(): Promise<StoredPolicy> {
    const members = await this.#redis.hgetall(keys.policy)
    const tenants = new Map<string, StoredTenant>()
    const plans = new Map<string, unknown>()
    for (const [name, json] of Object.entries(members)) {
      if (name.startsWith(TENANT)) {
        const tenant = StoredTenant.safeParse(JSON.parse(json))
        if (tenant.success) tenants.set(name.slice(TENANT.length), tenant.data)
        else this.#log.error({ member: name }, 'stored tenant not understood')
      } else if (name.startsWith(PLAN)) {
        plans.set(name.slice(PLAN.length), JSON.parse(json))
      }
    }
    return { revision: Number(members.revision ?? 0), tenants, plans }
  }

  /** The new revision; null when the policy is not at `revision` any more. `changeId`: the same for every try of one change. */
  async change(revision: number, changeId: string, { tenants, plans }: PolicyChange): Promise<number | null> {
    const args = [
      ...pairs(TENANT, tenants ?? new Map<string, StoredTenant | null>()),
      ...pairs(PLAN, plans ?? new Map<string, unknown>()),
    ]
    const now = await this.#redis.changePolicy(keys.policy, String(revision), changeId, keys.policyChanged, ...args)
    return now === -1 ? null : now
  }

  /** Calls `changed` whenever some node has changed the policy, or may have while nobody could tell. */
  watch(changed: () => void): Disposable {
    const subscriber = this.#redis.duplicate({
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      commandTimeout: FOR_EVER_MS,
    })
    subscriber.on('error', () => undefined)
    subscriber.on('message', changed)
    subscriber.on('ready', changed)
    // Lost on a connection that goes away, and made again by the client with the next one.
    subscriber.subscribe(keys.policyChanged).catch(() => undefined)
    return { [Symbol.dispose]: () => subscriber.disconnect() }
  }
}

function pairs(prefix: string, members: ReadonlyMap<string, unknown>): string[] {
  return [...members].flatMap(([name, value]) => [`${prefix}${name}`, value === null ? '' : JSON.stringify(value)])
}
