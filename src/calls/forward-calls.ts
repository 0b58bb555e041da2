import { FaultError } from '../faults.ts'
import type { Holding } from '../limits/limits.ts'
import { type LeftOut, savingsOf } from '../media/savings.ts'
import { inputWindow } from '../meter/conversation.ts'
import { cost } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { NO_TOKENS, type Usage } from '../meter/usage.ts'
import { weighted, weightsOf } from '../meter/weights.ts'
import { tokens } from '../units.ts'
import { type Answered, BoughtInVain, Buyer, type BuyerDeps, type Order } from './buyer.ts'
import type { Payer } from './media-calls.ts'
import type { ForwardCall, Forwarded } from './media-provider.ts'
import { targetsOf } from './targets.ts'
import { nothingHeard, type Overheard, overhear } from './usage-tap.ts'
import { forwardAtMost, forwardLikely } from './worst-case.ts'

/** A request of a caller's own, with its pictures prepared. */
export interface ForwardOrder {
  readonly path: ForwardCall['path']
  readonly body: Readonly<Record<string, unknown>>
  /** Text in it, and tokens of the pictures in it. */
  readonly text: string
  readonly pictureTokens: number
  /** It refers to text that only the provider has: a conversation, a file. */
  readonly readsMore: boolean
  readonly leftOut: LeftOut
}

/** Of little use below it; where money is short, an answer is cut down to no less. */
const SMALLEST_ANSWER = 256

/** Requests that go to a provider as they came, but for their pictures; paid for, limited and booked as every other call. */
export class ForwardCalls {
  readonly #deps: BuyerDeps
  readonly #buyer: Buyer

  constructor(deps: BuyerDeps) {
    this.#deps = deps
    this.#buyer = new Buyer(deps)
  }

  /**
   * Resolves with the provider's answer, whose body is read by the caller: a stream comes as it is made. Rejects as
   * MediaCalls do. `payer.job` is the request's own id.
   */
  async forward(payer: Payer, order: ForwardOrder, signal: AbortSignal): Promise<Forwarded> {
    const { config, clock } = this.#deps
    const { path, body } = order
    const model = String(body.model)
    const targets = targetsOf(config(), payer.tenant, model, 'vision', clock.now())
    const wish = wishOf(path, body)
    const asked = { ...body, ...usageAsked(path, body) }
    const bought = await this.#buy(
      {
        ...{ payer, stage: path.replace('/', '.'), operation: 'chat', model, targets },
        atMost: ({ row }) => atMost(order, wish.most, wish.answers, row),
        least: ({ row }) => atMost(order, Math.min(SMALLEST_ANSWER, wish.most ?? SMALLEST_ANSWER), wish.answers, row),
        call: (provider, target, deal, signal) => {
          const most = atMost(order, wish.most, wish.answers, target.row)
          const fits = outputWithin(deal.held, most, target.row)
          const clamp = fits < most.out.text ? { [wish.field]: Math.floor(fits / wish.answers) } : {}
          return provider.forward({ path, body: { ...asked, ...clamp, model: target.model } }, signal)
        },
      },
      signal,
    )
    const drops = usageAsked(path, body) !== null
    const isStream = body.stream === true && bought.answer.contentType.startsWith('text/event-stream')
    return { ...bought.answer, body: settled(bought, order, isStream, drops, signal) }
  }

  async #buy(order: Order<Forwarded>, signal: AbortSignal): Promise<Answered<Forwarded>> {
    const numbering = {
      number: 1,
      async again() {
        this.number++
      },
    }
    try {
      return await this.#buyer.buy(order, numbering, signal)
    } catch (error) {
      throw error instanceof BoughtInVain ? error.cause : error
    }
  }
}

/**
 * The body as it comes, overheard. What it cost is booked at its end, however it ends: read to the end, left, broken off, or
 * never begun because the caller is gone.
 */
function settled(
  bought: Answered<Forwarded>,
  order: ForwardOrder,
  isStream: boolean,
  dropsUsage: boolean,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const { answer, deal, slot, target } = bought
  const heard = nothingHeard()
  let isOpen = true
  const end = (isWhole: boolean) => {
    if (!isOpen) return
    isOpen = false
    signal.removeEventListener('abort', leave)
    slot[Symbol.dispose]()
    // A refusal of the caller's own request: nothing was bought.
    if (answer.status >= 400) return deal.notBought()
    deal.bought({
      usage: heard.usage,
      likely: forwardLikely(order.text, order.pictureTokens, writtenOf(heard)),
      status: !isWhole ? 'cancelled' : heard.isCut ? 'incomplete' : 'completed',
      providerId: answer.requestId,
      savings: (usage) => savingsOf(order.leftOut, usage, target.row),
    })
  }
  const leave = () => end(false)
  signal.addEventListener('abort', leave)
  return (async function* () {
    let isWhole = false
    try {
      yield* overhear(answer.body, isStream, heard, dropsUsage)
      isWhole = true
    } finally {
      end(isWhole)
    }
  })()
}

/** Of an answer that told no usage: one token a piece, or by its bytes. */
const writtenOf = ({ deltas, bytes }: Overheard): number => (deltas > 0 ? deltas : Math.ceil(bytes / 4))

/** What the caller says of the answer: its longest, in which field that stands, and how many there are. */
function wishOf(
  path: ForwardCall['path'],
  body: ForwardOrder['body'],
): { most: number | null; field: string; answers: number } {
  const whole = (value: unknown) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null
  if (path === 'responses') return { most: whole(body.max_output_tokens), field: 'max_output_tokens', answers: 1 }
  const old = whole(body.max_tokens)
  const field = old !== null && body.max_completion_tokens === undefined ? 'max_tokens' : 'max_completion_tokens'
  return { most: whole(body.max_completion_tokens) ?? old, field, answers: Math.min(128, whole(body.n) ?? 1) }
}

/** A streamed chat completion tells its usage only when asked. Null where the caller asks itself. */
function usageAsked(path: ForwardCall['path'], body: ForwardOrder['body']): Record<string, unknown> | null {
  if (path !== 'chat/completions' || body.stream !== true) return null
  const options = (body.stream_options ?? {}) as Record<string, unknown>
  return options.include_usage === true ? null : { stream_options: { ...options, include_usage: true } }
}

function atMost(order: ForwardOrder, most: number | null, answers: number, row: PriceRow): Usage {
  const usage = forwardAtMost(Buffer.byteLength(order.text), order.pictureTokens, most, answers, row)
  const window = inputWindow(row)
  if (!order.readsMore || window === null) return usage
  return { ...usage, in: { ...NO_TOKENS, text: tokens(Math.max(usage.in.text, window)) } }
}

/** The most output tokens whose cost, beside that of the input, is within what is held. */
function outputWithin(held: Holding, usage: Usage, row: PriceRow): number {
  const weights = weightsOf(row)
  const fits = (out: number) => {
    const part = { ...usage, out: { ...NO_TOKENS, text: tokens(out) } }
    return cost(part, row).nano <= held.money && weighted(part, weights) <= held.tokens
  }
  let [low, high] = [0, usage.out.text as number]
  if (fits(high)) return high
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (fits(middle)) low = middle
    else high = middle
  }
  if (low < 1) throw new FaultError('budget_spent', 'What is left of the budget is too little for an answer.')
  return low
}
