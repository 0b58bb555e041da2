import { readFileSync } from 'node:fs'
import { type Redis, ReplyError } from 'ioredis'
import { FaultError } from '../faults.ts'
import { LEASE_MS, RECORDS_KEPT_MS } from '../limits/limit-store.ts'
import type { AccountKind, LimitKind } from '../limits/limits.ts'

/** Replies as the scripts' headers describe them. */
export type RefusalReply = [account: AccountKind, limit: LimitKind, wait: number | null]
export type LevelReply = [account: AccountKind, limit: 'budget' | 'day' | 'month', spent: number, cap: number]
export type RoomReply = [money: number | null, tokens: number | null]
export type AdmitReply = [isOk: number, level: LevelReply | null, refusal?: RefusalReply]
export type ReserveReply = [
  isOk: number,
  money: number,
  tokens: number,
  room: RoomReply,
  level: LevelReply | null,
  refusal?: RefusalReply,
]
export type SettleReply =
  | [2, estimate: string]
  | [
      isNew: 0 | 1,
      money: number,
      tokens: number,
      overMoney: number,
      overTokens: number,
      room: RoomReply,
      level: LevelReply | null,
    ]
export type StateReply = [
  slots: number,
  starts: number,
  settled: number,
  held: number,
  wait: number | null,
  heldMoney: number,
  money: (string | number)[],
]

/** One argument of a script. */
type Argument = string | number

export interface LimitScripts {
  limitsAdmit(root: string, ...args: Argument[]): Promise<AdmitReply>
  limitsBeat(root: string, ...args: Argument[]): Promise<string[]>
  limitsReserve(root: string, ...args: Argument[]): Promise<ReserveReply>
  limitsRunning(root: string, ...args: Argument[]): Promise<number>
  limitsSettle(root: string, ...args: Argument[]): Promise<SettleReply>
  limitsRelease(root: string, ...args: Argument[]): Promise<number>
  limitsReap(root: string, ...args: Argument[]): Promise<number>
  limitsState(root: string, ...args: Argument[]): Promise<StateReply[]>
  limitsSetSpent(key: string, ...args: Argument[]): Promise<number>
}

const FILES = {
  limitsAdmit: 'admit',
  limitsBeat: 'beat',
  limitsReserve: 'reserve',
  limitsRunning: 'running',
  limitsSettle: 'settle',
  limitsRelease: 'release',
  limitsReap: 'reap',
  limitsState: 'state',
} as const satisfies Partial<Record<keyof LimitScripts, string>>

const read = (name: string) => readFileSync(new URL(`./scripts/limits/${name}.lua`, import.meta.url), 'utf8')

/** Teaches a connection the scripts, once. */
export function withLimitScripts(redis: Redis): Redis & LimitScripts {
  if ('limitsAdmit' in redis) return redis as Redis & LimitScripts
  const constants = `local LEASE_MS, RECORDS_KEPT_MS = ${LEASE_MS}, ${RECORDS_KEPT_MS}\n`
  const prelude = constants + read('prelude')
  for (const [name, file] of Object.entries(FILES)) {
    redis.defineCommand(name, { numberOfKeys: 1, lua: prelude + read(file) })
  }
  redis.defineCommand('limitsSetSpent', { numberOfKeys: 1, lua: read('set-spent') })
  return redis as Redis & LimitScripts
}

/** When Redis may be back: the longest pause between two attempts to reach it. */
const RETRY_AFTER_MS = 2_000
/** Replies that say that a script or an argument is wrong; every other one says that the server cannot serve now. */
const OUR_MISTAKE = /^(ERR|WRONGTYPE|NOSCRIPT|NOPERM|CROSSSLOT)\b/
/** Redis 6 wraps what a command inside a script was refused for into an ERR of the script. */
const REFUSED_INSIDE = /-(OOM|READONLY|MISCONF|NOREPLICAS)\b/

/** Awaits a reply. Rejects with FaultError `store_unavailable` when Redis is away, loading, full or no master. */
export async function fromStore<T>(
  reply: Promise<T>,
  away = 'limits cannot be checked at the moment; try again soon',
): Promise<T> {
  try {
    return await reply
  } catch (cause) {
    const reply = cause instanceof ReplyError ? (cause as Error).message : ''
    if (OUR_MISTAKE.test(reply) && !REFUSED_INSIDE.test(reply)) throw cause
    throw new FaultError('store_unavailable', away, {
      retryAfterMs: RETRY_AFTER_MS,
      cause,
    })
  }
}
