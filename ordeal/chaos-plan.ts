import { Dice } from './dice.ts'

/** One thing that goes wrong. Times in ms from the first caller on. */
export type Mishap = {
  readonly at: number
} /** kill -9 of a broker, or SIGTERM; it is started again as soon as it is gone. */ & (
  | { kind: 'broker_killed' | 'broker_stopped'; broker: number }
  /** kill -9 of Redis, started again with its append-only file after `ms`; or stopped in its tracks for `ms`. */
  | { kind: 'redis_killed' | 'redis_frozen'; ms: number }
  /** Redis hears what a share of a broker's connections say, and its replies are lost; after `ms` the lines are cut. */
  | { kind: 'replies_lost'; broker: number; share: number; ms: number }
  /** A share of a broker's lines to the provider is cut. */
  | { kind: 'provider_lines_cut'; broker: number; share: number }
)

type Kind = Mishap['kind']

/** How often each kind comes in one deck of the plan. */
const DECK: readonly Kind[] = [
  'broker_killed',
  'broker_killed',
  'broker_stopped',
  'redis_killed',
  'redis_frozen',
  'replies_lost',
  'replies_lost',
  'replies_lost',
  'replies_lost',
  'provider_lines_cut',
  'provider_lines_cut',
  'provider_lines_cut',
]
/** A broker needs some seconds to end and to be back; the next kill waits for that. */
const BETWEEN_KILLS_MS = 7_000
const FIRST_MS = 4_000

/** The whole plan of a run, decided before it starts by nothing but the seed. */
export function chaosPlan(seed: number, brokers: number, lengthMs: number): Mishap[] {
  const dice = Dice.of(seed, 'chaos')
  const plan: Mishap[] = []
  let at = FIRST_MS
  let killed = -BETWEEN_KILLS_MS
  while (at < lengthMs) {
    for (const kind of dice.shuffled(DECK)) {
      const isKill = kind === 'broker_killed' || kind === 'broker_stopped'
      if (isKill) at = Math.max(at, killed + BETWEEN_KILLS_MS)
      if (isKill) killed = at
      plan.push(mishap(kind, at, brokers, dice))
      at += dice.whole(1_200, 3_600)
    }
  }
  return plan.filter((planned) => planned.at < lengthMs)
}

function mishap(kind: Kind, at: number, brokers: number, dice: Dice): Mishap {
  const broker = dice.whole(0, brokers - 1)
  switch (kind) {
    case 'broker_killed':
    case 'broker_stopped':
      return { kind, at, broker }
    case 'redis_killed':
      return { kind, at, ms: dice.whole(100, 2_500) }
    case 'redis_frozen':
      return { kind, at, ms: dice.whole(200, 3_000) }
    case 'replies_lost':
      return { kind, at, broker, share: dice.pick([0.3, 0.6, 1]), ms: dice.whole(20, 500) }
    case 'provider_lines_cut':
      return { kind, at, broker, share: dice.pick([0.1, 0.3, 1]) }
  }
}

/** One line for each mishap, as it is printed before the run. */
export function showMishap({ at, kind, ...rest }: Mishap): string {
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`)
  return `${(at / 1_000).toFixed(1).padStart(6)} s  ${kind.replaceAll('_', ' ')}  ${details.join(', ')}`
}
