import { setTimeout as after } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Storage } from '../../src/storage/storage.ts'
import type { CallBill } from '../../src/upstream/loopback/media/media-door.ts'
import type { Order } from './customer.ts'
import type { HookReceiver } from './hook-receiver.ts'
import type { MediaPremises } from './media-premises.ts'

/** Everything that the checker looks at: what customers were told, what came out, and what is left lying about. */
export interface MediaEvidence {
  readonly premises: MediaPremises
  readonly orders: ReadonlyMap<string, Order>
  readonly doubles: readonly string[]
  readonly oddities: readonly string[]
  readonly hooks: HookReceiver
  /** What the provider has billed. */
  readonly bills: readonly CallBill[]
  /** A line of its own to Redis, which nothing happens to. */
  readonly redis: Redis
  readonly storage: Storage
  /** The ledger's file. */
  readonly ledger: string
  /** A door that is up. */
  readonly door: string
}

export interface JobSeen {
  readonly id: string
  readonly type: string
  readonly status: string
  readonly created_at: string
  readonly queued_at: string | null
  readonly started_at: string | null
  readonly ended_at: string | null
  readonly attempt: number
  readonly error: { readonly code: string } | null
  readonly result: { readonly type: string; readonly url?: string } | null
  /** Whose it is, where somebody has looked at jobs of several. */
  readonly tenant?: string
  readonly usage: { readonly calls: number; readonly cost_usd_nanos: number } | null
}

/** A door may still be on its way back to Redis when everything is over, ms. */
const BACK_WITHIN_MS = 15_000

/** Asks as a tenant; again while the door says that it waits for Redis. */
export async function askAs(
  { premises, door }: MediaEvidence,
  tenant: string,
  method: string,
  path: string,
): Promise<Response> {
  const headers = { authorization: `Bearer ${premises.tenants.get(tenant)?.key ?? ''}` }
  for (const from = Date.now(); ; ) {
    const answer = await fetch(`${door}${path}`, { method, headers })
    const isPassing = answer.status === 503 || answer.status === 429
    if (!isPassing || Date.now() - from > BACK_WITHIN_MS) return answer
    await answer.arrayBuffer()
    await after(200)
  }
}

/** Every job of a tenant that can be seen. */
export async function jobsOf(evidence: MediaEvidence, tenant: string): Promise<JobSeen[]> {
  const all: JobSeen[] = []
  for (let after = ''; ; ) {
    const answer = await askAs(evidence, tenant, 'GET', `/v1/jobs?limit=200${after}`)
    const page = (await answer.json()) as { data: JobSeen[]; has_more: boolean; last_id: string }
    all.push(...page.data)
    if (!page.has_more) return all
    after = `&after=${page.last_id}`
  }
}
