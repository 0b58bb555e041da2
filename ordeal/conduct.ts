import { setTimeout as after } from 'node:timers/promises'
import type { PrivateRedis } from '../test/support/private-redis.ts'
import type { Mishap } from './chaos-plan.ts'
import { Dice } from './dice.ts'
import type { Member } from './fleet.ts'

/** Makes the plan come true for these processes, each mishap at its time, until told to stop. */
export class Conduct {
  readonly done = new Map<Mishap['kind'], number>()
  readonly #plan: readonly Mishap[]
  readonly #members: readonly Member[]
  readonly #redis: PrivateRedis
  readonly #dice: Dice
  readonly #stop = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  #redisIsFree: Promise<void> = Promise.resolve()
  readonly #run: Promise<void>

  constructor(plan: readonly Mishap[], members: readonly Member[], redis: PrivateRedis, seed: number) {
    this.#plan = plan
    this.#members = members
    this.#redis = redis
    this.#dice = Dice.of(seed, 'conduct')
    this.#run = this.#follow()
  }

  /** No more mishaps; resolves once everything is up again. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#run
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  async #follow(): Promise<void> {
    const began = performance.now()
    for (const mishap of this.#plan) {
      const wait = mishap.at - (performance.now() - began)
      if (wait > 0) await after(wait, undefined, { signal: this.#stop.signal }).catch(() => undefined)
      if (this.#stop.signal.aborted) return
      this.done.set(mishap.kind, (this.done.get(mishap.kind) ?? 0) + 1)
      const happening: Promise<void> = this.#happen(mishap).finally(() => this.#underWay.delete(happening))
      this.#underWay.add(happening)
    }
  }

  async #happen(mishap: Mishap): Promise<void> {
    switch (mishap.kind) {
      case 'broker_killed':
        return this.#restart(mishap.broker, 'SIGKILL')
      case 'broker_stopped':
        return this.#restart(mishap.broker, 'SIGTERM')
      case 'redis_killed':
      case 'redis_frozen': {
        // One at a time: a frozen server can be killed, but not thawed after.
        const turn = this.#redisIsFree.then(() => this.#withoutRedis(mishap.kind === 'redis_killed', mishap.ms))
        this.#redisIsFree = turn
        return turn
      }
      case 'replies_lost':
        return this.#member(mishap.broker).toRedis.loseReplies(mishap.share, mishap.ms, this.#dice)
      case 'provider_lines_cut':
        this.#member(mishap.broker).toProvider.cut(mishap.share, this.#dice)
    }
  }

  async #restart(broker: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const member = this.#member(broker)
    if (!member.isUp) return
    await member.end(signal)
    await member.bringUp()
  }

  async #withoutRedis(isKilled: boolean, ms: number): Promise<void> {
    if (isKilled) {
      await this.#redis.kill()
      await after(ms)
      return this.#redis.start()
    }
    this.#redis.freeze()
    await after(ms)
    this.#redis.thaw()
  }

  #member(broker: number): Member {
    const member = this.#members[broker]
    if (member === undefined) throw new RangeError(`there is no broker ${broker}`)
    return member
  }
}
