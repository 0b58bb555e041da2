import { randomUUID } from 'node:crypto'
import type { ModelConfig } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { answerKept, nobodySpoke, savingsOf } from '../media/savings.ts'
import type { PriceRow } from '../meter/price-row.ts'
import type { LedgerRecord } from '../meter/record.ts'
import type { Saving } from '../meter/savings.ts'
import type { Usage } from '../meter/usage.ts'
import type { Answers, Purchase } from '../store/answers.ts'
import { type Ms, ms, nanoUsd } from '../units.ts'
import { transcriptionKey, visionKey } from './answer-key.ts'
import { type Answered, BoughtInVain, Buyer, type BuyerDeps, type Order, pause, recordIdOf, SHORT } from './buyer.ts'
import type { CallContext, MediaCalls, Paid, Payer } from './media-calls.ts'
import type { TranscriptionAnswer, TranscriptionCall, VisionAnswer, VisionCall } from './media-provider.ts'
import { type Target, targetsOf } from './targets.ts'
import { transcriptionAtMost, transcriptionLikely, visionAtMost, visionLikely } from './worst-case.ts'

export interface PaidMediaCallsDeps extends BuyerDeps {
  readonly answers: Answers
}

/** What all answers have. */
type Answer = TranscriptionAnswer | VisionAnswer

/** One thing to be answered by one model. */
interface Wish<A extends Answer> {
  readonly kind: ModelConfig['kind']
  readonly model: string
  readonly content: string
  readonly context: CallContext
  readonly call: Order<A>['call']
  atMost(row: PriceRow): Usage
  likely(row: PriceRow, answer: A): Usage
  status(answer: A): LedgerRecord['status']
}

/** An answer as it is kept, with the record it was booked by. */
interface Kept<A> {
  readonly answer: A
  readonly record: LedgerRecord
  /** The step that bought it. */
  readonly step: string
}

/** The models that tell how sure they are of plain answers; others are asked for segments, or say nothing. */
const TELLS_LOGPROBS = { transcription: /^gpt-4o(-mini)?-transcribe(?!-diarize)/, vision: /^gpt-4(o|\.1)/ }

/** The calls of jobs and drop-ins. `open-media-calls.ts` puts one together. */
export class PaidMediaCalls implements MediaCalls {
  readonly #deps: PaidMediaCallsDeps
  readonly #buyer: Buyer

  constructor(deps: PaidMediaCallsDeps) {
    this.#deps = deps
    this.#buyer = new Buyer(deps)
  }

  transcribe(
    payer: Payer,
    stage: string,
    call: TranscriptionCall & CallContext,
    signal: AbortSignal,
    onText?: (text: string) => void,
  ): Promise<Paid<TranscriptionAnswer>> {
    let isTold = false
    const tell = (text: string) => {
      isTold = true
      onText?.(text)
    }
    const wish = (model: string): Wish<TranscriptionAnswer> => {
      const logprobs = call.logprobs || (call.escalateTo !== null && TELLS_LOGPROBS.transcription.test(model))
      const asked = { ...call, model, logprobs }
      return {
        ...{ kind: 'transcription', model, content: transcriptionKey(asked), context: call },
        call: async (provider, target, _deal, signal) => {
          // What has been told would be told a second time, in other words.
          if (isTold) throw new FaultError('upstream_lost', 'The model provider broke off its answer.')
          const own = { ...asked, model: target.model }
          return provider.transcribe(own, signal, onText === undefined ? undefined : tell)
        },
        atMost: (row) => transcriptionAtMost(asked, row),
        likely: (row, { text }) => transcriptionLikely(asked, row, text),
        status: () => 'completed',
      }
    }
    return this.#surely(payer, stage, wish, call, signal)
  }

  describe(
    payer: Payer,
    stage: string,
    call: VisionCall & CallContext,
    signal: AbortSignal,
  ): Promise<Paid<VisionAnswer>> {
    const wish = (model: string): Wish<VisionAnswer> => {
      const asked = { ...call, model, logprobs: call.escalateTo !== null && TELLS_LOGPROBS.vision.test(model) }
      return {
        ...{ kind: 'vision', model, content: visionKey(asked), context: call },
        call: (provider, target, _deal, signal) => provider.describe({ ...asked, model: target.model }, signal),
        atMost: () => visionAtMost(asked),
        likely: (_row, { text }) => visionLikely(asked, text),
        status: ({ isCut }) => (isCut ? 'incomplete' : 'completed'),
      }
    }
    return this.#surely(payer, stage, wish, call, signal)
  }

  nothingBought(payer: Payer, stage: string, model: string, silence: Ms): readonly Saving[] {
    const { config, clock, treasury } = this.#deps
    const [target] = targetsOf(config(), payer.tenant, model, 'transcription', clock.now())
    if (target === undefined) return []
    const savings = [nobodySpoke(silence, target.row)]
    const subject = { payer, id: recordIdOf(payer.job, stage, 1), model, target }
    treasury.book(treasury.savingRecord(subject, savings), payer)
    return savings
  }

  /** The small model first, and another where it is not sure enough. What the other costs is bought on top. */
  async #surely<A extends Answer>(
    payer: Payer,
    stage: string,
    wish: (model: string) => Wish<A>,
    { model, escalateTo }: CallContext & { readonly model: string },
    signal: AbortSignal,
  ): Promise<Paid<A>> {
    const first = await this.#paid(payer, stage, wish(model), signal)
    const { meanLogprob } = first.answer
    const { escalateBelow } = this.#deps.config().media.calls
    if (escalateTo === null || escalateTo === model || meanLogprob === null || meanLogprob >= escalateBelow)
      return first
    // An unsure answer is better than none: what stands in the way of the larger model is no reason to throw it away.
    const second = await this.#paid(payer, `${stage}:sure`, wish(escalateTo), signal).catch((error: unknown) => {
      if (error instanceof FaultError && !signal.aborted) return null
      throw error
    })
    if (second === null) return first
    return {
      ...second,
      cost: nanoUsd(first.cost + second.cost),
      worth: nanoUsd(first.worth + second.worth),
      calls: first.calls + second.calls,
      fromCache: first.fromCache && second.fromCache,
      estimated: first.estimated || second.estimated,
      savings: [...first.savings, ...second.savings],
    }
  }

  async #paid<A extends Answer>(payer: Payer, stage: string, wish: Wish<A>, signal: AbortSignal): Promise<Paid<A>> {
    const { config, clock, answers } = this.#deps
    const targets = targetsOf(config(), payer.tenant, wish.model, wish.kind, clock.now())
    const step = `${payer.job}:${stage}`
    const sought = { tenant: payer.tenant, content: wish.content, step }
    const claim = randomUUID()
    for (;;) {
      signal.throwIfAborted()
      const claimed = await answers.claim(sought, claim)
      if (claimed.type === 'yours') return this.#buy(payer, stage, wish, targets, claimed.purchase, signal)
      if (claimed.type === 'kept') return this.#fromKept(payer, stage, wish, targets, claimed.value as Kept<A>)
      await pause(ms(Math.min(SHORT, claimed.wait)), clock, signal)
    }
  }

  async #buy<A extends Answer>(
    payer: Payer,
    stage: string,
    wish: Wish<A>,
    targets: readonly Target[],
    purchase: Purchase,
    signal: AbortSignal,
  ): Promise<Paid<A>> {
    const { model, call } = wish
    const operation = wish.kind === 'transcription' ? 'speech_to_text' : 'chat'
    const atMost = ({ row }: Target) => wish.atMost(row)
    const order: Order<A> = { payer, stage, operation, model, targets, call, atMost }
    let bought: Answered<A>
    try {
      bought = await this.#buyer.buy(order, purchase, signal)
    } catch (error) {
      const isInVain = error instanceof BoughtInVain
      await purchase.giveUp(isInVain).catch(() => undefined)
      throw isInVain ? error.cause : error
    }
    using _slot = bought.slot
    const { answer, deal, target, lost, calls } = bought
    const { leftOut } = wish.context
    const record = deal.bought({
      usage: answer.usage,
      likely: wish.likely(target.row, answer),
      status: wish.status(answer),
      providerId: answer.requestId,
      savings: (usage) => savingsOf(leftOut ?? {}, usage, target.row),
    })
    // The record is on the disk by now. An answer that cannot be kept is an answer all the same.
    const kept: Kept<A> = { answer, record, step: `${payer.job}:${stage}` }
    await purchase.keep(kept, this.#keepFor(payer)).catch(() => {
      this.#deps.log.warn({ job: payer.job }, 'an answer could not be kept')
    })
    const cost = nanoUsd(record.cost + lost.reduce((sum, { cost }) => sum + cost, 0))
    const estimated = record.estimated || lost.length > 0
    return { answer, model, cost, worth: record.cost, calls, fromCache: false, estimated, savings: record.savings }
  }

  #fromKept<A extends Answer>(
    payer: Payer,
    stage: string,
    { model }: Wish<A>,
    targets: readonly Target[],
    kept: Kept<A>,
  ): Paid<A> {
    const { treasury, metrics } = this.#deps
    const { answer, record, step } = kept
    const common = { answer, model, worth: record.cost, calls: 0, estimated: record.estimated }
    if (step === `${payer.job}:${stage}`) {
      // This very step bought it and did not come to its end: if its record was lost on the way, it is booked now.
      treasury.book(record, payer)
      return { ...common, cost: record.cost, fromCache: false, savings: record.savings }
    }
    metrics.keptAnswers.inc()
    const savings = [answerKept(record.cost, record.priceRow)]
    const target = targets.find(({ provider }) => provider === record.provider) ?? targets[0]
    if (target !== undefined) {
      const id = `${recordIdOf(payer.job, stage, 1)}:kept`
      treasury.book(treasury.savingRecord({ payer, id, model, target }, savings), payer)
    }
    return { ...common, cost: nanoUsd(0), fromCache: true, savings }
  }

  #keepFor({ keep }: Payer): Ms {
    const { keepAnswers } = this.#deps.config().media.calls
    return keep === undefined ? keepAnswers : ms(Math.min(keep, keepAnswers))
  }
}
