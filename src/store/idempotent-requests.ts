import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import type { Idempotency } from '../media/job-store.ts'
import { later, ms } from '../units.ts'
import { keys } from './keys.ts'
import { fromStore } from './limit-scripts.ts'

/** An answer as it is given again. */
export interface StoredAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Outlives a renewal that is late by Redis being away for a moment. */
const LEASE = ms(30_000)
const RENEW_EVERY = ms(10_000)

type WithScript = Redis & { idempotency(key: string, ...args: (string | number)[]): Promise<string> }

/** Requests that name themselves, so that one that is sent again is done once and answered twice. */
export class IdempotentRequests {
  readonly #redis: WithScript
  readonly #clock: Clock

  constructor(redis: Redis, clock: Clock) {
    const lua = readFileSync(new URL('./scripts/idempotency.lua', import.meta.url), 'utf8')
    redis.defineCommand('idempotency', { numberOfKeys: 1, lua })
    this.#redis = redis as WithScript
    this.#clock = clock
  }

  /**
   * Does it, unless it has been done: then the answer of that time comes back as `replayed`. Only answers that `isFinal` says
   * will never be another are kept. Throws `idempotency_conflict` while it is being done, `idempotency_mismatch` for another
   * request under the same key.
   */
  async once(
    tenant: string,
    { key, fingerprint, keep }: Idempotency,
    isFinal: (answer: StoredAnswer) => boolean,
    run: () => Promise<StoredAnswer>,
  ): Promise<{ answer: StoredAnswer; replayed: boolean }> {
    const name = `${keys.tenant(tenant)}:once:${key}`
    const token = randomUUID()
    const step = (...args: (string | number)[]) => fromStore(this.#redis.idempotency(name, ...args))
    const begun = await step('begin', fingerprint, token, LEASE)
    if (begun === 'running') throw inProgress()
    if (begun === 'mismatch') throw mismatch()
    if (begun !== 'new') return { answer: JSON.parse(begun) as StoredAnswer, replayed: true }

    let alarm: Disposable | null = null
    const renew = () => {
      alarm = this.#clock.at(later(this.#clock.now(), RENEW_EVERY), () => {
        step('renew', token, LEASE).catch(() => undefined)
        renew()
      })
    }
    renew()
    let answer: StoredAnswer | null = null
    try {
      answer = await run()
      return { answer, replayed: false }
    } finally {
      ;(alarm as Disposable | null)?.[Symbol.dispose]()
      const isKept = answer !== null && isFinal(answer)
      await step(...(isKept ? ['keep', token, JSON.stringify(answer), keep] : ['forget', token])).catch(() => undefined)
    }
  }
}

export const inProgress = () =>
  new FaultError('idempotency_conflict', 'The same request is being worked on: ask again in a moment.', {
    retryAfterMs: 1_000,
  })
export const mismatch = () => new FaultError('idempotency_mismatch', 'This Idempotency-Key belongs to another request.')
