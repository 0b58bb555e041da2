import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { type Instant, type Ms, ms } from '../units.ts'
import { keys } from './keys.ts'

/** Why an endpoint gets nothing any more: its receiver said 410, or failed for days. */
export type DisabledReason = 'gone' | 'failing'

export interface EndpointHealth {
  /** In a row. */
  readonly failures: number
  readonly failingSince: Instant | null
  readonly disabled: DisabledReason | null
}

/** Only failures for so long end an endpoint. */
const LONGEST_FAILING_MS = 5 * 24 * 3_600_000
/** After so many failures in a row deliveries wait, and one at a time probes. */
const OPEN_AFTER = 10
const PROBE_EVERY_MS = 60_000
/** The health of an endpoint that nothing is sent to any more is forgotten after this. */
const KEEP_MS = 30 * 24 * 3_600_000

/** How each endpoint's receiver has been doing, shared by all workers, so that a dead one holds up nobody else. */
export class WebhookEndpoints {
  readonly #redis: Redis & Scripts

  constructor(redis: Redis) {
    const lua = readFileSync(new URL('./scripts/webhook-failed.lua', import.meta.url), 'utf8')
    redis.defineCommand('webhookFailed', { numberOfKeys: 1, lua })
    this.#redis = redis as Redis & Scripts
  }

  async health(id: string): Promise<EndpointHealth> {
    const [failures, since, disabled] = await this.#redis.hmget(
      keys.webhookEndpoint(id),
      'failures',
      'failingSince',
      'disabled',
    )
    return {
      failures: Number(failures ?? 0),
      failingSince: since == null ? null : (Number(since) as Instant),
      disabled: (disabled ?? null) as DisabledReason | null,
    }
  }

  /** May a delivery be tried now? Null: yes; else how long to wait. Behind an open circuit one in 60 s is let through. */
  async admit(id: string, health: EndpointHealth): Promise<Ms | null> {
    if (health.failures < OPEN_AFTER) return null
    const probe = keys.webhookProbe(id)
    if ((await this.#redis.set(probe, '1', 'PX', PROBE_EVERY_MS, 'NX')) === 'OK') return null
    return ms(Math.max(1_000, await this.#redis.pttl(probe)))
  }

  async succeeded(id: string): Promise<void> {
    await this.#redis.hdel(keys.webhookEndpoint(id), 'failures', 'failingSince')
    await this.#redis.del(keys.webhookProbe(id))
  }

  /** True when this very failure ended the endpoint. */
  async failed(id: string, isGone: boolean, now: Instant): Promise<boolean> {
    const args = [String(now), String(LONGEST_FAILING_MS), isGone ? 'gone' : '', String(KEEP_MS)]
    return (await this.#redis.webhookFailed(keys.webhookEndpoint(id), ...args)) === 1
  }

  /** An operator has mended the receiver. */
  async enable(id: string): Promise<void> {
    await this.#redis.del(keys.webhookEndpoint(id))
    await this.#redis.del(keys.webhookProbe(id))
  }
}

interface Scripts {
  webhookFailed(key: string, ...args: string[]): Promise<number>
}
