import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/** A record as names and values in turn. */
export type Flat = string[]
type Argument = string | number

/** Replies as the scripts' headers describe them. The first argument is the tenant's root. */
export interface JobScripts {
  jobCreate(
    root: string,
    ...args: Argument[]
  ): Promise<
    ['created' | 'replayed', record: Flat] | ['mismatch' | 'lost'] | ['queue_full', begun: number, withinMs: number]
  >
  jobStart(
    root: string,
    ...args: Argument[]
  ): Promise<['started', record: Flat] | ['busy'] | ['not_due'] | ['poisoned']>
  jobBeat(root: string, ...args: Argument[]): Promise<[held: 0 | 1, cancel: 0 | 1]>
  jobProgress(root: string, ...args: Argument[]): Promise<0 | 1>
  jobSegment(root: string, ...args: Argument[]): Promise<0 | 1>
  jobHandOver(root: string, ...args: Argument[]): Promise<0 | 1>
  jobEnd(root: string, ...args: Argument[]): Promise<0 | 1>
  jobPostpone(root: string, ...args: Argument[]): Promise<string>
  jobCancel(root: string, ...args: Argument[]): Promise<Flat | null>
  jobRetry(
    root: string,
    ...args: Argument[]
  ): Promise<['none'] | ['wrong_state', record: Flat] | ['retried', record: Flat]>
  jobRemove(root: string, ...args: Argument[]): Promise<0 | 1>
  jobList(root: string, ...args: Argument[]): Promise<[cursor: string | null, ...records: Flat[]]>
  jobEvents(root: string, ...args: Argument[]): Promise<string[]>
  jobPlace(root: string, ...args: Argument[]): Promise<[place: number, begun: number, withinMs: number] | null>
  jobClaim(
    root: string,
    ...args: Argument[]
  ): Promise<[id: string, dispatch: string, cost: string, priority: string, trace: string][]>
  jobSweep(
    root: string,
    ...args: Argument[]
  ): Promise<[queued: number, expired: number, told: number, ended: number, orphans: number, more: 0 | 1]>
  jobStale(
    root: string,
    ...args: Argument[]
  ): Promise<[where: 'sent' | 'handed', id: string, dispatch: string | null][]>
  jobResend(root: string, ...args: Argument[]): Promise<0 | 1>
  jobGiveBack(root: string, ...args: Argument[]): Promise<0 | 1>
  jobErase(root: string, ...args: Argument[]): Promise<0 | 1>
  jobDue(root: string, ...args: Argument[]): Promise<string[]>
}

const FILES = {
  jobCreate: 'create',
  jobStart: 'start',
  jobBeat: 'beat',
  jobProgress: 'progress',
  jobSegment: 'segment',
  jobHandOver: 'hand-over',
  jobEnd: 'end',
  jobPostpone: 'postpone',
  jobCancel: 'cancel',
  jobRetry: 'retry',
  jobRemove: 'remove',
  jobList: 'list',
  jobEvents: 'events',
  jobPlace: 'place',
  jobClaim: 'claim',
  jobSweep: 'sweep',
  jobStale: 'stale',
  jobResend: 'resend',
  jobGiveBack: 'give-back',
  jobErase: 'erase',
  jobDue: 'due',
} as const satisfies Record<keyof JobScripts, string>

const read = (name: string) => readFileSync(new URL(`../scripts/jobs/${name}.lua`, import.meta.url), 'utf8')

/** Teaches a connection the scripts, once. */
export function withJobScripts(redis: Redis): Redis & JobScripts {
  if ('jobCreate' in redis) return redis as Redis & JobScripts
  const prelude = read('prelude')
  for (const [name, file] of Object.entries(FILES)) {
    redis.defineCommand(name, { numberOfKeys: 1, lua: prelude + read(file) })
  }
  return redis as Redis & JobScripts
}
