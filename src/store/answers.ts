import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { brotliCompress, brotliDecompress, constants } from 'node:zlib'
import type { Redis } from 'ioredis'
import type { Clock } from '../clock.ts'
import { LEASE_BEAT_MS, LEASE_MS } from '../limits/limit-store.ts'
import { later, type Ms, ms } from '../units.ts'
import { keys } from './keys.ts'
import { fromStore } from './limit-scripts.ts'

/** What is looked for, and for which step of which job. */
export interface Sought {
  readonly tenant: string
  /** Hex hash over everything that decides the answer. */
  readonly content: string
  /** `<job>:<stage>`. */
  readonly step: string
}

export type Claimed =
  | { readonly type: 'kept'; readonly value: unknown }
  | { readonly type: 'busy'; readonly wait: Ms }
  | { readonly type: 'yours'; readonly purchase: Purchase }

/** Answers larger than this once packed are not kept, bytes: Redis is no place for them. */
const LARGEST_KEPT = 256 * 1_024
const LARGEST_UNPACKED = 16 * 1_024 * 1_024
/** A job may be tried again for so long; then its numbers begin anew, and the ledger still knows the old ones. */
const NUMBERS_KEPT_MS = 30 * 86_400_000

interface Scripts {
  answersClaimBuffer(...args: (string | number)[]): Promise<[Buffer, Buffer | number]>
  answersAgain(...args: (string | number)[]): Promise<number>
  answersRenew(...args: (string | number)[]): Promise<number>
  answersFinish(...args: (string | number | Buffer)[]): Promise<number>
}

const SCRIPTS = {
  answersClaim: ['claim', 3],
  answersAgain: ['again', 2],
  answersRenew: ['renew', 1],
  answersFinish: ['finish', 3],
} as const

function withScripts(redis: Redis): Redis & Scripts {
  for (const [name, [file, numberOfKeys]] of Object.entries(SCRIPTS)) {
    if (name in redis) continue
    const lua = readFileSync(new URL(`./scripts/answers/${file}.lua`, import.meta.url), 'utf8')
    redis.defineCommand(name, { numberOfKeys, lua })
  }
  return redis as Redis & Scripts
}

/**
 * Q6: answers that have been paid for, by tenant and content, and who is buying one now. All keys of a tenant share its hash
 * tag. Rejects with FaultError `store_unavailable` when Redis is away.
 */
export class Answers {
  readonly #redis: Redis & Scripts
  readonly #clock: Clock

  constructor(redis: Redis, clock: Clock) {
    this.#redis = withScripts(redis)
    this.#clock = clock
  }

  /** `claim`: the asker's own name for this attempt, the same when it asks again. */
  async claim(sought: Sought, claim: string): Promise<Claimed> {
    const names = namesOf(sought)
    const [type, value] = await fromStore(this.#redis.answersClaimBuffer(...names, claim, LEASE_MS, NUMBERS_KEPT_MS))
    switch (type.toString()) {
      case 'kept':
        return { type: 'kept', value: await unpack(value as Buffer) }
      case 'busy':
        return { type: 'busy', wait: ms(Number(value)) }
      default:
        return { type: 'yours', purchase: new Purchase(this.#redis, this.#clock, names, claim, Number(value)) }
    }
  }
}

/** The right to buy one answer, held by a lease that is renewed until the purchase is finished. */
export class Purchase {
  /** How many times this step has been bought, with this one. */
  number: number
  readonly #redis: Scripts
  readonly #clock: Clock
  readonly #names: readonly [string, string, string]
  #token: string
  #timer: Disposable

  constructor(redis: Scripts, clock: Clock, names: readonly [string, string, string], token: string, number: number) {
    this.#redis = redis
    this.#clock = clock
    this.#names = names
    this.#token = token
    this.number = number
    this.#timer = this.#beat()
  }

  /** Nobody knows whether it was bought, and it is bought again under the next number. */
  async again(): Promise<void> {
    const next = randomUUID()
    const [, flight, numbers] = this.#names
    this.number = await fromStore(
      this.#redis.answersAgain(flight, numbers, this.#token, next, LEASE_MS, NUMBERS_KEPT_MS),
    )
    this.#token = next
  }

  /** It is bought. `keep` 0 keeps no answer; so does an answer too large to be kept. */
  async keep(value: unknown, keep: Ms): Promise<void> {
    const packed = keep <= 0 ? Buffer.alloc(0) : await pack(value)
    await this.#finish(packed.length > LARGEST_KEPT ? ms(0) : keep, false, packed)
  }

  /** Nothing comes of it. `isBought`: all the same, as far as anybody knows. */
  async giveUp(isBought: boolean): Promise<void> {
    await this.#finish(ms(0), !isBought, Buffer.alloc(0))
  }

  async #finish(keep: Ms, isUnbought: boolean, packed: Buffer): Promise<void> {
    this.#timer[Symbol.dispose]()
    const [answer, flight, numbers] = this.#names
    const time = Math.max(0, Math.floor(keep))
    await fromStore(
      this.#redis.answersFinish(answer, flight, numbers, this.#token, time, isUnbought ? '1' : '0', packed),
    )
  }

  #beat(): Disposable {
    return this.#clock.at(later(this.#clock.now(), ms(LEASE_BEAT_MS)), () => {
      this.#timer = this.#beat()
      // While Redis is away nobody else can take it either.
      this.#redis.answersRenew(this.#names[1], this.#token, LEASE_MS).catch(() => undefined)
    })
  }
}

const namesOf = ({ tenant, content, step }: Sought) =>
  [keys.answer(tenant, content), keys.answerBuyer(tenant, content), keys.bought(tenant, step)] as const

const compress = promisify(brotliCompress)
const decompress = promisify(brotliDecompress)

const pack = (value: unknown): Promise<Buffer> =>
  compress(JSON.stringify(value), { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })

const unpack = async (bytes: Buffer): Promise<unknown> =>
  JSON.parse((await decompress(bytes, { maxOutputLength: LARGEST_UNPACKED })).toString('utf8'))
