import type { Clock } from '../../clock.ts'
import type { Settled } from '../../limits/limit-store.ts'
import type { Account, Holding } from '../../limits/limits.ts'
import { cost } from '../../meter/price.ts'
import type { PriceRow } from '../../meter/price-row.ts'
import { readResponseUsage, readTranscriptionUsage } from '../../meter/read-usage.ts'
import { type LedgerRecord, recordId } from '../../meter/record.ts'
import { cachedInput, idleCut, type Saving } from '../../meter/savings.ts'
import { hasCached, NOTHING, type Usage } from '../../meter/usage.ts'
import { weighted, weightsOf } from '../../meter/weights.ts'
import type { Metrics } from '../../metrics.ts'
import { type Ms, type NanoUsd, nanoUsd, tokens } from '../../units.ts'
import { child, type Loose, text } from '../lines/provider-events.ts'
import type { Bookkeeper } from './bookkeeper.ts'
import { SessionMeter } from './session-meter.ts'
import type { SessionSpan } from './session-span.ts'

/** Who pays for a session, and by which prices. */
export interface BooksOptions {
  readonly session: string
  readonly tenant: string
  readonly user: string | null
  readonly keyId: string
  /** As the caller calls it. */
  readonly model: string
  readonly provider: string
  readonly providerModel: string
  readonly row: PriceRow
  readonly transcribesOnly: boolean
  readonly accounts: readonly Account[]
}

/** Told of every record once the store has it. */
export type OnSettled = (record: LedgerRecord, settled: Settled) => void

/**
 * What a session buys, record by record (M3): priced by its row of the sheet, booked once under the provider's own id, and
 * estimated where the provider never says.
 */
export class SessionBooks {
  readonly meter: SessionMeter
  readonly options: BooksOptions
  /** Booked so far. */
  spent: NanoUsd = nanoUsd(0)
  readonly #keeper: Bookkeeper
  readonly #clock: Clock
  readonly #onSettled: OnSettled
  readonly #metrics: Metrics
  readonly #span: SessionSpan
  /** Responses under way. */
  readonly #open = new Set<string>()
  /** Transcriptions under way, by their item: by which prices, and what they come to at the most. */
  readonly #writing = new Map<string, { row: PriceRow; most: Usage }>()
  /** Ids booked lately: a provider that says something twice is heard once. */
  readonly #booked = new Set<string>()

  constructor(
    options: BooksOptions,
    keeper: Bookkeeper,
    clock: Clock,
    metrics: Metrics,
    span: SessionSpan,
    onSettled: OnSettled,
  ) {
    this.options = options
    this.meter = new SessionMeter(options.row, options.transcribesOnly)
    this.#keeper = keeper
    this.#clock = clock
    this.#metrics = metrics
    this.#span = span
    this.#onSettled = onSettled
  }

  /** Audio is on its way to the provider that takes so long to speak. */
  audioCame(length: Ms): void {
    this.meter.audioCame(length, this.#clock.now())
  }

  /** A response has begun. */
  began(id: string, isApart: boolean): void {
    if (this.#open.has(id) || this.#booked.has(id)) return
    this.#open.add(id)
    this.meter.responseBegan(id, isApart)
    this.#span.began('generate_content', id)
    const record = this.#record('response', id, 'estimate', 'unknown', this.meter.usageAtMost(id), this.options.row)
    void this.#keeper.running({ session: this.options.session, record })
  }

  /** `response.done`. Returns what it cost; null for one that was booked before. */
  responseDone(response: Loose): Holding | null {
    const id = text(response, 'id')
    if (id === null || !this.#first(id)) return null
    this.#open.delete(id)
    const status = statusOf(response)
    const told = readResponseUsage(response.usage)
    if (told !== null) this.#noteError(this.meter.usageSoFar(id), told)
    // A response that failed before it began is billed nothing; any other has used what was seen of it.
    const usage = told ?? (status === 'failed' ? NOTHING : this.meter.usageSoFar(id))
    this.meter.responseEnded(id, usage)
    const basis = told === null && status !== 'failed' ? 'estimate' : 'usage'
    const savings = hasCached(usage) ? [cachedInput(usage, this.options.row)] : []
    return this.#book(this.#record('response', id, basis, status, usage, this.options.row, savings))
  }

  /** A turn has been taken, and is written down where a transcriber is asked for it. */
  turnTaken(itemId: string, length: Ms): void {
    const row = this.meter.transcriber
    if (row === null || this.#writing.has(itemId) || this.#booked.has(transcriptionOf(itemId))) return
    const most = this.meter.transcriptionAtMost(row, length)
    this.#writing.set(itemId, { row, most })
    this.#span.began('speech_to_text', itemId, row.model)
    const record = this.#record('transcription', itemId, 'estimate', 'unknown', most, row)
    void this.#keeper.running({ session: this.options.session, record })
  }

  /** `…input_audio_transcription.failed`: nothing is billed. */
  notTranscribed(itemId: string): void {
    this.#span.gaveUp(itemId)
    const writing = this.#writing.get(itemId)
    if (writing === undefined || !this.#first(transcriptionOf(itemId))) return
    this.#writing.delete(itemId)
    this.#book(this.#record('transcription', itemId, 'usage', 'failed', NOTHING, writing.row))
  }

  /** `…input_audio_transcription.completed`: billed by the transcriber's own prices. */
  transcribed(event: Loose): Holding | null {
    const id = text(event, 'item_id')
    const writing = id === null ? undefined : this.#writing.get(id)
    // Whoever was asked when the turn was taken writes it down, whoever is asked by now.
    const row = writing?.row ?? this.meter.transcriber
    if (id === null || row === null || !this.#first(transcriptionOf(id))) return null
    this.#writing.delete(id)
    const usage = readTranscriptionUsage(event.usage)
    const basis = usage === null ? 'estimate' : 'usage'
    const used = usage ?? writing?.most ?? NOTHING
    return this.#book(this.#record('transcription', id, basis, 'completed', used, row))
  }

  /** Resolves once the store has everything that was booked. */
  settled(): Promise<void> {
    return this.#keeper.settled(this.options.session)
  }

  /**
   * The session is over. What the provider has not accounted for is booked at the most it can have come to: what was written
   * and not heard before a line broke is billed all the same, and a budget must not be spent again on a guess too low.
   */
  close(idleCutBy: Ms | null): void {
    for (const id of this.#open) {
      this.#booked.add(id)
      this.#book(this.#record('response', id, 'estimate', 'unknown', this.#neverHeard(id), this.options.row))
    }
    this.#open.clear()
    for (const [id, { row, most }] of this.#writing) {
      this.#booked.add(transcriptionOf(id))
      this.#book(this.#record('transcription', id, 'estimate', 'unknown', most, row))
    }
    this.#writing.clear()
    if (idleCutBy === null) return
    const saving = idleCut(idleCutBy, this.options.row, false)
    this.#book(this.#record('session', 'end', 'usage', 'completed', NOTHING, this.options.row, [saving]))
  }

  /** The most a response may have cost whose end was never heard; more only where more was heard than it may say. */
  #neverHeard(id: string): Usage {
    const { row } = this.options
    const heard = this.meter.usageSoFar(id)
    const most = this.meter.usageAtMost(id)
    return cost(heard, row).nano > cost(most, row).nano ? heard : most
  }

  /** M1: how far the estimate was off when the truth came. */
  #noteError(guess: Usage, truth: Usage): void {
    const { row } = this.options
    const error = cost(guess, row).nano - cost(truth, row).nano
    this.#metrics.estimateError.inc({ direction: error > 0 ? 'high' : 'low' }, Math.abs(error))
  }

  #first(id: string): boolean {
    if (this.#booked.has(id)) return false
    this.#booked.add(id)
    if (this.#booked.size > MOST_REMEMBERED) {
      for (const oldest of this.#booked) {
        this.#booked.delete(oldest)
        break
      }
    }
    return true
  }

  #book(record: LedgerRecord): Holding {
    this.spent = nanoUsd(this.spent + record.cost)
    this.#span.booked(record)
    const { accounts } = this.options
    this.#metrics.bought.inc({ kind: record.kind, basis: record.basis }, Math.max(0, record.cost))
    this.#keeper.book({ record, accounts, keep: ALL_OF_IT }, (settled) => this.#onSettled(record, settled))
    return { money: record.cost, tokens: record.weighted }
  }

  #record(
    kind: LedgerRecord['kind'],
    providerId: string,
    basis: LedgerRecord['basis'],
    status: LedgerRecord['status'],
    usage: Usage,
    row: PriceRow,
    savings: readonly Saving[] = [],
  ): LedgerRecord {
    const { session, tenant, user, keyId, model, provider, providerModel } = this.options
    const price = cost(usage, row)
    return {
      id: recordId(kind, session, providerId),
      kind,
      basis,
      at: this.#clock.now(),
      tenant,
      user,
      keyId,
      session,
      model,
      provider,
      providerModel: kind === 'transcription' ? row.model : providerModel,
      providerId,
      status,
      usage,
      cost: price.nano,
      priceRow: price.rowId,
      estimated: price.estimated || basis === 'estimate',
      weighted: weighted(usage, weightsOf(row)),
      savings,
    }
  }
}

/** An item is a turn and its transcription; what is remembered of the two must not be mistaken. */
const transcriptionOf = (itemId: string) => `transcription ${itemId}`
const MOST_REMEMBERED = 256
/** What the cost does not take out of the lease stays in it. */
const ALL_OF_IT: Holding = { money: nanoUsd(Number.MAX_SAFE_INTEGER), tokens: tokens(Number.MAX_SAFE_INTEGER) }

function statusOf(response: Loose): LedgerRecord['status'] {
  const status = text(response, 'status')
  const known = ['completed', 'cancelled', 'failed', 'incomplete'] as const
  return known.find((name) => name === status) ?? 'unknown'
}

/** The `response` object of an event. */
export const responseOf = (event: Loose): Loose => child(event, 'response') ?? {}
