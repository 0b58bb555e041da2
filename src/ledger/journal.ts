import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { LedgerRecord } from '../meter/record.ts'
import { keys } from '../store/keys.ts'
import { instant } from '../units.ts'
import type { Posting } from './ledger.ts'
import { readRecord } from './record-text.ts'

const GROUP = 'ledger'
/** Entries that are no records and are kept to be looked at. */
const REFUSED_KEPT = 10_000
/** A reader that has asked for nothing for so long is gone for good, ms. */
const GONE_MS = 3_600_000

/** One entry of the journal. */
export class Entry {
  readonly id: string
  readonly raw: readonly string[]

  constructor(id: string, raw: readonly string[]) {
    this.id = id
    this.raw = raw
  }

  /** What it says it is, for a ledger that checks what it is given; null where it cannot even be read. */
  get claimed(): Posting | null {
    return this.#posting((json) => JSON.parse(json) as LedgerRecord | null)
  }

  /** Null where it is no record. */
  get posting(): Posting | null {
    return this.#posting(readRecord)
  }

  #posting(read: (json: string) => LedgerRecord | null): Posting | null {
    const field = (name: string) => {
      const at = this.raw.indexOf(name)
      return at < 0 ? undefined : this.raw[at + 1]
    }
    try {
      const record = read(field('record') ?? 'null')
      const booked = Math.floor(Number(field('booked') ?? record?.at))
      return record === null || !Number.isSafeInteger(booked) || booked < 0 ? null : { record, booked: instant(booked) }
    } catch {
      return null
    }
  }
}

/** What the stream says of itself: entries not yet in the ledger, and the last id it has ever given. */
export interface JournalState {
  readonly length: number
  readonly lastId: string
}

/**
 * M3: the stream in Redis that holds what was booked until the ledger has it. One consumer group: each entry goes to one
 * reader, and to another when that one has not acknowledged it in time.
 */
export class Journal {
  readonly #redis: Redis & Scripts
  readonly #stream: string
  readonly #refused: string
  readonly #owner: string

  /** `redis` should wait for a lost server. Its connection is kept busy by `take`. */
  constructor(redis: Redis, root: string = keys.limits) {
    this.#redis = withScripts(redis)
    this.#stream = keys.journal(root)
    this.#refused = keys.journalRefused(root)
    this.#owner = keys.ledger(root)
  }

  /** Makes the group where it is missing; it begins with the oldest entry there is. */
  async prepare(): Promise<void> {
    await this.#redis.xgroup('CREATE', this.#stream, GROUP, '0', 'MKSTREAM').catch((error: Error) => {
      if (!error.message.startsWith('BUSYGROUP')) throw error
    })
  }

  /** The next entries for a reader; waits up to `wait` ms for the first, 0 for not at all. */
  async take(reader: string, most: number, wait: number): Promise<Entry[]> {
    const reply =
      wait > 0
        ? await this.#redis.xreadgroup(
            'GROUP',
            GROUP,
            reader,
            'COUNT',
            most,
            'BLOCK',
            wait,
            'STREAMS',
            this.#stream,
            '>',
          )
        : await this.#redis.xreadgroup('GROUP', GROUP, reader, 'COUNT', most, 'STREAMS', this.#stream, '>')
    const [stream] = (reply ?? []) as [string, RawEntry[]][]
    return (stream?.[1] ?? []).map(entryOf)
  }

  /** Entries that another reader took and has not acknowledged for `idle` ms: they are this reader's now. */
  async claim(reader: string, most: number, idle: number): Promise<Entry[]> {
    const reply = await this.#redis.xautoclaim(this.#stream, GROUP, reader, idle, '0', 'COUNT', most)
    const [, entries] = reply as [string, (RawEntry | null)[]]
    return entries.filter((entry) => entry !== null).map(entryOf)
  }

  /** Forgets entries that are in the ledger, and puts aside those that are no records. All or nothing; may be repeated. */
  async done(entries: readonly Entry[], refused: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return
    const ids = entries.map((entry) => entry.id)
    const transaction = this.#redis.multi()
    for (const { raw } of refused) transaction.xadd(this.#refused, 'MAXLEN', '~', REFUSED_KEPT, '*', ...raw)
    transaction.xack(this.#stream, GROUP, ...ids).xdel(this.#stream, ...ids)
    for (const [error] of (await transaction.exec()) ?? []) if (error !== null) throw error
  }

  /** Entries after an id, oldest first, whoever has taken them. */
  async after(id: string, most: number): Promise<Entry[]> {
    return (await this.#redis.xrange(this.#stream, `(${id}`, '+', 'COUNT', most)).map(entryOf)
  }

  async state(): Promise<JournalState> {
    const flat = await this.#redis.xinfo('STREAM', this.#stream).catch((error: Error) => {
      if (error.message.includes('no such key')) return []
      throw error
    })
    const info = flat as unknown[]
    const field = (name: string) => info[info.indexOf(name) + 1]
    return { length: Number(field('length') ?? 0), lastId: String(field('last-generated-id') ?? '0-0') }
  }

  /** The id of the ledger that this journal feeds; null when Redis does not know, and then has lost its counters too. */
  owner(): Promise<string | null> {
    return this.#redis.get(this.#owner)
  }

  /** Makes `next` the owner in place of `owner`, for ever or for `ttl` ms; false when somebody else is it by now. */
  async setOwner(owner: string | null, next: string, ttl = 0): Promise<boolean> {
    return (await this.#redis.ownJournal(this.#owner, owner ?? '', next, String(ttl))) === 1
  }

  /** Takes readers that left nothing behind off the list. A reader with entries in hand would take them along. */
  async forget(reader: string | null): Promise<void> {
    const consumers = (await this.#redis.xinfo('CONSUMERS', this.#stream, GROUP)) as unknown[][]
    for (const consumer of consumers) {
      const field = (name: string) => consumer[consumer.indexOf(name) + 1]
      const isMeant = reader === null ? Number(field('idle')) > GONE_MS : field('name') === reader
      if (!isMeant || Number(field('pending')) > 0) continue
      await this.#redis.xgroup('DELCONSUMER', this.#stream, GROUP, String(field('name')))
    }
  }
}

interface Scripts {
  ownJournal(key: string, owner: string, next: string, ttlMs: string): Promise<number>
}

function withScripts(redis: Redis): Redis & Scripts {
  const lua = readFileSync(new URL('../store/scripts/own-journal.lua', import.meta.url), 'utf8')
  redis.defineCommand('ownJournal', { numberOfKeys: 1, lua })
  return redis as Redis & Scripts
}

type RawEntry = [id: string, fields: string[]]

const entryOf = ([id, raw]: RawEntry): Entry => new Entry(id, raw)
