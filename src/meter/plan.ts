import { addNano, type Ms, ms, type NanoUsd, nanoUsd, type Tokens, tokens } from '../units.ts'
import { heardTokens, inputWindow, spokenTokens } from './conversation.ts'
import { type Cost, cost, hasTokenPrices } from './price.ts'
import type { PriceRow } from './price-row.ts'
import { addTokens, addUsage, lessTokens, NO_TOKENS, NOTHING, sumTokens, type TokenCount, type Usage } from './usage.ts'

/** A session that somebody thinks of having. Every turn is alike: the user speaks, the assistant answers, a pause. */
export interface SessionPlan {
  readonly turns: number
  readonly user: Ms
  readonly assistant: Ms
  readonly pause: Ms
  /** Instructions and tools. */
  readonly instructions: Tokens
  /** Text that each answer writes beside its audio, its transcript above all; about 3 tokens a second of speech. */
  readonly transcript: Tokens
  /** The provider's cache holds whatever it may, or nothing. */
  readonly cached: boolean
  /** The pauses reach the provider as audio: no turn detection and no silence gate takes them out. */
  readonly pausesSent: boolean
  /** Thousandths of the window kept when the conversation has to be cut: the provider's `retention_ratio`. */
  readonly retentionMilli: number
}

export interface PlannedTurn {
  /** Counted from 1. */
  readonly turn: number
  readonly usage: Usage
  readonly cost: Cost
  /** Tokens that an earlier turn had already paid for, and what they cost again. */
  readonly resent: Tokens
  readonly resentNano: NanoUsd
  /** The oldest items fell out of the window before this turn. */
  readonly truncated: boolean
}

export interface PlannedSession {
  readonly turns: readonly PlannedTurn[]
  readonly usage: Usage
  readonly nano: NanoUsd
  readonly resent: Tokens
  readonly resentNano: NanoUsd
  readonly length: Ms
  /** The first turn whose input no longer held the whole conversation; null if all did. */
  readonly truncatedFrom: number | null
}

/**
 * M5: what a planned session costs, turn by turn, with the context that every response reads again made visible. A pure
 * function of at most `turns` steps; the caller bounds `turns`. Models billed by time are billed once, for the whole.
 */
export function planSession(plan: SessionPlan, row: PriceRow): PlannedSession {
  const turns = hasTokenPrices(row) ? tokenTurns(plan, row) : timeTurns(plan, row)
  const usage = turns.reduce((sum, turn) => addUsage(sum, turn.usage), NOTHING)
  const sum = (read: (turn: PlannedTurn) => NanoUsd) =>
    turns.reduce((total, turn) => addNano(total, read(turn)), nanoUsd(0))
  return {
    turns,
    usage,
    nano: hasTokenPrices(row) ? sum((turn) => turn.cost.nano) : cost(usage, row).nano,
    resent: tokens(turns.reduce((total, turn) => total + turn.resent, 0)),
    resentNano: sum((turn) => turn.resentNano),
    length: ms(plan.turns * (plan.user + plan.assistant + plan.pause)),
    truncatedFrom: turns.find((turn) => turn.truncated)?.turn ?? null,
  }
}

function tokenTurns(plan: SessionPlan, row: PriceRow): PlannedTurn[] {
  const window = inputWindow(row) ?? Number.MAX_SAFE_INTEGER
  const instructions = { ...NO_TOKENS, text: plan.instructions }
  const heard = heardTokens(ms(plan.user + (plan.pausesSent ? plan.pause : 0)), row)
  const question: TokenCount = { ...NO_TOKENS, audio: heard }
  const answer: TokenCount = { ...NO_TOKENS, audio: spokenTokens(plan.assistant, row), text: plan.transcript }

  /** Items in the window, oldest first from `first` on; `history` is their sum. */
  const items: TokenCount[] = []
  let first = 0
  let history = NO_TOKENS
  const turns: PlannedTurn[] = []
  for (let turn = 1; turn <= plan.turns; turn++) {
    const size = () => plan.instructions + sumTokens(history) + heard
    const truncated = !row.billing.contextOnce && size() > window
    const keep = Math.floor((window * plan.retentionMilli) / 1_000)
    while (truncated && size() > keep && first < items.length)
      history = lessTokens(history, items[first++] ?? NO_TOKENS)

    const before = turn === 1 || row.billing.contextOnce ? NO_TOKENS : addTokens(instructions, history)
    const fresh = turn === 1 ? addTokens(instructions, question) : question
    // A cut leaves only the instructions as the prefix that the cache still knows.
    const cacheable = truncated ? instructions : before
    const usage: Usage = {
      ...NOTHING,
      in: addTokens(before, fresh),
      cached: plan.cached && turn > 1 && !row.billing.contextOnce ? cacheable : NO_TOKENS,
      out: answer,
      estimated: true,
    }
    const priced = cost(usage, row)
    const withoutHistory = cost({ ...usage, in: fresh, cached: NO_TOKENS }, row).nano
    turns.push({
      turn,
      usage,
      cost: priced,
      resent: sumTokens(before),
      resentNano: nanoUsd(priced.nano - withoutHistory),
      truncated,
    })
    items.push(question, answer)
    history = addTokens(history, addTokens(question, answer))
  }
  return turns
}

/** A model billed by the clock or by the minute of audio re-sends nothing: every turn is alike. */
function timeTurns(plan: SessionPlan, row: PriceRow): PlannedTurn[] {
  const usage: Usage = {
    ...NOTHING,
    audioMs: ms(plan.user + plan.assistant + (plan.pausesSent ? plan.pause : 0)),
    sessionMs: ms(plan.user + plan.assistant + plan.pause),
    estimated: true,
  }
  const turn = { usage, cost: cost(usage, row), resent: tokens(0), resentNano: nanoUsd(0), truncated: false }
  return Array.from({ length: plan.turns }, (_, i) => ({ ...turn, turn: i + 1 }))
}
