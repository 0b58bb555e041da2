import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { StoredSecretLimits } from '../limits/stored-secret-limits.ts'
import type { EndReason } from '../session/end-reason.ts'
import type { Instant } from '../units.ts'
import { keys } from './keys.ts'

/** How long the record of a session stays readable once it has ended, ms. */
const KEEP_ENDED_MS = 24 * 3_600_000

/** What never changes about a session. */
export const SessionHead = z.object({
  id: z.string(),
  tenant: z.string(),
  keyId: z.string(),
  user: z.string().nullable(),
  model: z.string(),
  /** The configured model that serves it: the same, or its sibling where the spend objective asks for one. */
  served: z.string(),
  /** Tokens of one response at the most, below the plan's own ceiling; null: the plan's. */
  maxOutputTokens: z.number().nullable(),
  kind: z.enum(['conversation', 'transcription']),
  plan: z.string(),
  /** Epoch ms; the length cap counts from here on whatever node. */
  admitted: z.number(),
  /** Longest the session can last, ms. */
  maxDuration: z.number(),
  /** How long a dropped caller may take to come back, ms; null: never. */
  resumeWindow: z.number().nullable(),
  origin: z.string().nullable(),
  /** Session fields fixed when the client secret was minted, and those the caller may still change. */
  grant: z
    .object({
      session: z.record(z.string(), z.unknown()),
      unlocked: z.array(z.string()),
      limits: StoredSecretLimits,
    })
    .nullable(),
  /** `traceparent` of its first span; left out where nobody traces. */
  trace: z.string().optional(),
})
export type SessionHead = z.infer<typeof SessionHead>

/** What a successor needs to go on; written at turn ends. Holds content, so only sessions that can resume have one. */
export const SessionTail = z.object({
  /** Counted frames sent so far. */
  seq: z.number(),
  /** The session object as the provider last told it. */
  session: z.record(z.string(), z.unknown()).nullable(),
  items: z.array(z.record(z.string(), z.unknown())),
})
export type SessionTail = z.infer<typeof SessionTail>

/** Sums over the session's responses, as the provider counted them. */
export const SessionUsage = z.object({
  input_tokens: z.number(),
  output_tokens: z.number(),
  responses: z.number(),
  /** Nano-dollars. */
  cost_nano_usd: z.number().default(0),
})
export type SessionUsage = z.infer<typeof SessionUsage>

export interface SessionRecord {
  head: SessionHead
  owner: string
  /** Counts the nodes that have owned the session. */
  epoch: number
  phase: string
  reason: EndReason | null
  endedAt: Instant | null
  /** Epoch ms of the last write of its owner; it writes only what changes. */
  updated: Instant
  usage: SessionUsage
  tail: SessionTail | null
}

/** What is left of a session that is over. */
export type EndedSession = Pick<SessionRecord, 'head' | 'reason' | 'endedAt' | 'usage'>

/** The record of every session, for operators, for other nodes, and for a caller who comes back after a crash. */
export class SessionRecords {
  readonly #redis: Redis & Scripts
  readonly #node: string
  readonly #tell: (ended: EndedSession) => Promise<void>

  /**
   * `tell`: called with every session that is over; again with the same one where that failed, or where the node died
   * meanwhile. A session is listed until it has been told, so that none is forgotten.
   */
  constructor(redis: Redis, node: string, tell: (ended: EndedSession) => Promise<void> = async () => undefined) {
    this.#redis = withScripts(redis)
    this.#node = node
    this.#tell = tell
  }

  async create(head: SessionHead, resumeHash: string | null, now: Instant): Promise<void> {
    // Listed first: of a node that dies in between a name without a record is left, which a sweep takes away.
    await this.#redis.zadd(keys.liveSessions, String(head.admitted), head.id)
    const ttl = String(head.maxDuration + KEEP_ENDED_MS)
    const fields = ['head', JSON.stringify(head), 'phase', 'opening', 'resume', resumeHash ?? '', 'epoch', '1']
    await this.#redis.writeSession(keys.session(head.id), this.#node, ttl, ...fields, 'updated', String(now))
  }

  /** Writes what has changed; false when the session is not this node's any more. */
  async update(
    head: SessionHead,
    change: { phase?: string; resumeHash?: string; usage?: SessionUsage; tail?: SessionTail; owner?: string },
    now: Instant,
  ): Promise<boolean> {
    const fields = ['updated', String(now)]
    if (change.phase !== undefined) fields.push('phase', change.phase)
    if (change.resumeHash !== undefined) fields.push('resume', change.resumeHash)
    if (change.usage !== undefined) fields.push('usage', JSON.stringify(change.usage))
    if (change.tail !== undefined) fields.push('tail', JSON.stringify(change.tail))
    if (change.owner !== undefined) fields.push('owner', change.owner)
    const ttl = String(head.maxDuration + KEEP_ENDED_MS)
    return (await this.#redis.writeSession(keys.session(head.id), this.#node, ttl, ...fields)) === 1
  }

  async end(head: SessionHead, reason: EndReason, usage: SessionUsage, now: Instant): Promise<void> {
    const fields = ['phase', 'ended', 'reason', reason, 'endedAt', String(now), 'usage', JSON.stringify(usage)]
    fields.push('tail', '', 'resume', '')
    const key = keys.session(head.id)
    const isOurs = await this.#redis.writeSession(key, this.#node, String(KEEP_ENDED_MS), ...fields)
    // A successor's session goes on.
    if (isOurs === 1) await this.farewell({ head, reason, usage, endedAt: now })
  }

  /** Hands the session to whichever node its caller comes back to; nothing of it is left here. */
  async release(
    head: SessionHead,
    left: { tail: SessionTail; usage: SessionUsage; resumeHash: string },
    now: Instant,
  ): Promise<void> {
    await this.update(head, { ...left, phase: 'parked', owner: RELEASED }, now)
  }

  /** Takes back what `create` may have written although it failed. */
  async discard(id: string): Promise<void> {
    await this.#redis.del(keys.session(id))
    await this.forget(id)
  }

  /** Tells that a session is over, and lists it no longer. */
  async farewell(ended: EndedSession): Promise<void> {
    await this.#tell(ended)
    await this.forget(ended.head.id)
  }

  /** Lists the session no longer among those that have not ended. */
  async forget(id: string): Promise<void> {
    await this.#redis.zrem(keys.liveSessions, id)
  }

  async read(id: string): Promise<SessionRecord | null> {
    return recordFrom(await this.#redis.hgetall(keys.session(id)))
  }

  /** The same without the conversation, which can be long. */
  async outline(id: string): Promise<SessionRecord | null> {
    const values = await this.#redis.hmget(keys.session(id), ...OUTLINE)
    return recordFrom(Object.fromEntries(OUTLINE.map((name, i) => [name, values[i] ?? undefined])))
  }

  /** Ids of sessions that have not ended, oldest first. */
  async live(most = 10_000): Promise<string[]> {
    return this.#redis.zrange(keys.liveSessions, '0', String(most - 1))
  }

  /** When a session was admitted that is listed among those that have not ended; null for one that is not. */
  async listedSince(id: string): Promise<Instant | null> {
    const score = await this.#redis.zscore(keys.liveSessions, id)
    return score === null ? null : (Number(score) as Instant)
  }

  /** True for exactly one node and caller, whatever comes at once. */
  async claim(id: string, deadOwner: string, tokenHash: string, nextHash: string): Promise<boolean> {
    return (await this.#redis.claimSession(keys.session(id), deadOwner, tokenHash, this.#node, nextHash)) === 1
  }

  /**
   * Undoes a claim that brought nobody back, or that may have been made although it failed: whoever holds the token that
   * was shown can still come back with it.
   */
  async giveBack(id: string, nextHash: string, tokenHash: string): Promise<void> {
    await this.#redis.claimSession(keys.session(id), this.#node, nextHash, RELEASED, tokenHash)
  }

  /** Books the end of a session that died with its node; true for exactly one of those who notice. */
  async endOrphan(record: SessionRecord, now: Instant): Promise<boolean> {
    const reason: EndReason = record.owner === RELEASED ? 'caller_lost' : 'node_lost'
    const ended = await this.#redis.endOrphan(keys.session(record.head.id), record.owner, reason, String(now))
    if (ended === 1) await this.farewell({ ...record, reason, endedAt: now })
    return ended === 1
  }
}

/** All fields of a record but its tail. */
const OUTLINE = ['head', 'owner', 'epoch', 'phase', 'reason', 'endedAt', 'updated', 'usage'] as const

function recordFrom(raw: Record<string, string | undefined>): SessionRecord | null {
  if (raw.head === undefined) return null
  return {
    head: SessionHead.parse(JSON.parse(raw.head)),
    owner: raw.owner ?? '',
    epoch: Number(raw.epoch ?? 1),
    phase: raw.phase ?? 'ended',
    reason: (raw.reason as EndReason | undefined) ?? null,
    endedAt: raw.endedAt === undefined ? null : (Number(raw.endedAt) as Instant),
    updated: Number(raw.updated ?? 0) as Instant,
    usage: raw.usage === undefined ? NO_USAGE : SessionUsage.parse(JSON.parse(raw.usage)),
    tail: raw.tail === undefined || raw.tail === '' ? null : SessionTail.parse(JSON.parse(raw.tail)),
  }
}

/** Owner of a session that its node gave up in good order. */
export const RELEASED = 'released'

export const NO_USAGE: SessionUsage = { input_tokens: 0, output_tokens: 0, responses: 0, cost_nano_usd: 0 }

interface Scripts {
  claimSession(key: string, owner: string, hash: string, next: string, nextHash: string): Promise<number>
  writeSession(key: string, owner: string, ttlMs: string, ...fields: string[]): Promise<number>
  endOrphan(key: string, owner: string, reason: string, now: string): Promise<number>
}

function withScripts(redis: Redis): Redis & Scripts {
  for (const [name, file] of [
    ['claimSession', 'claim-session'],
    ['writeSession', 'write-session'],
    ['endOrphan', 'end-orphan'],
  ] as const) {
    const lua = readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8')
    redis.defineCommand(name, { numberOfKeys: 1, lua })
  }
  return redis as Redis & Scripts
}
