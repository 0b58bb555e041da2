import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { type Instant, instant, type NanoUsd } from '../units.ts'
import { keys } from './keys.ts'

const nano = z.int().transform((n) => n as NanoUsd)

/** A change of step that the webhooks have to be told. */
const Change = z.object({ from: z.int(), to: z.int(), spent: nano, budget: nano, line: nano, at: z.number() })
export type StepChange = z.infer<typeof Change>

/** Where the spend objective stands; written by the leader, read by every node. */
const State = z.object({
  step: z.int().min(0),
  day: z.string(),
  perDay: nano,
  /** Counts the changes of step, for ever. */
  changes: z.int(),
  /** The last change, until it has been told. */
  untold: Change.nullable(),
  meter: z.object({ day: z.string(), utcDay: z.string(), counter: nano, carried: nano, base: nano }),
})
export type ObjectiveState = z.infer<typeof State>

/** Outlives any outage that is ended by an operator's attention; after that the day is another. */
const KEEP_MS = 3 * 24 * 3_600_000

/** The spend objective's keys in Redis. */
export class ObjectiveRecord {
  readonly #redis: Redis & Scripts
  readonly #node: string

  constructor(redis: Redis, node: string) {
    this.#redis = withScripts(redis)
    this.#node = node
  }

  /** Leads for `leaseMs` more, or learns that another node does. `now` is that of Redis, the same for all nodes. */
  async lead(leaseMs: number): Promise<{ leads: boolean; now: Instant; state: ObjectiveState | null }> {
    const answer = await this.#redis.objectiveLead(keys.objectiveLease, keys.objective, this.#node, String(leaseMs))
    const [leads, now, text] = answer
    return { leads: leads === 1, now: instant(now), state: readState(text) }
  }

  /** False when another node leads by now: nothing was written. */
  async write(state: ObjectiveState, isChange: boolean): Promise<boolean> {
    const text = JSON.stringify(state)
    const args = [this.#node, text, String(KEEP_MS), keys.objectiveChanges, isChange ? '1' : '0'] as const
    return (await this.#redis.objectiveStand(keys.objectiveLease, keys.objective, ...args)) === 1
  }

  async resign(): Promise<void> {
    await this.#redis.objectiveResign(keys.objectiveLease, this.#node)
  }
}

/** Null for what another version has written. */
export function readState(text: string): ObjectiveState | null {
  return text === '' ? null : (State.safeParse(JSON.parse(text)).data ?? null)
}

interface Scripts {
  objectiveLead(lease: string, state: string, node: string, leaseMs: string): Promise<[number, number, string]>
  objectiveStand(lease: string, state: string, ...args: string[]): Promise<number>
  objectiveResign(lease: string, node: string): Promise<number>
}

function withScripts(redis: Redis): Redis & Scripts {
  for (const [name, file, numberOfKeys] of [
    ['objectiveLead', 'objective-lead', 2],
    ['objectiveStand', 'objective-stand', 2],
    ['objectiveResign', 'objective-resign', 1],
  ] as const) {
    const lua = readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8')
    redis.defineCommand(name, { numberOfKeys, lua })
  }
  return redis as Redis & Scripts
}
