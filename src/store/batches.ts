import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import {
  BATCH_STATUSES,
  type Batch,
  type BatchEnd,
  type BatchHead,
  type BatchStatus,
  type LineError,
} from '../batches/batch.ts'
import { idTime, isId } from '../media/ids.ts'
import type { Idempotency } from '../media/job-store.ts'
import { type Instant, type Ms, ms } from '../units.ts'
import { keys } from './keys.ts'
import { fromStore as awaitStore } from './limit-scripts.ts'

export type BatchCreated =
  | { readonly type: 'created' | 'replayed'; readonly batch: Batch }
  /** The same key with another body. */
  | { readonly type: 'mismatch' }

/** What a process has while it works on a batch: without it nothing can be written (fencing). */
export interface BatchHold {
  readonly batch: Batch
  readonly token: string
}

export interface BatchPatch {
  readonly status?: BatchStatus
  readonly total?: number
  readonly cursor?: Batch['cursor']
  readonly made?: number
  readonly errors?: readonly LineError[]
  readonly outputFileId?: string | null
  readonly errorFileId?: string | null
  readonly outcome?: BatchEnd
}

/** A process that is silent for so long has lost its batches; it renews them with everything it writes. */
export const BATCH_LEASE = ms(15_000)

type Argument = string | number
type Flat = string[]
const SCRIPTS = ['create', 'cancel', 'claim', 'write', 'refuse', 'list'] as const
type Scripts = Record<
  `batches${Capitalize<(typeof SCRIPTS)[number]>}`,
  (root: string, ...args: Argument[]) => Promise<unknown>
>

const fromStore = <T>(reply: Promise<T>) => awaitStore(reply, 'Batches cannot be read or changed at the moment.')

/**
 * Records of batches, by tenant. Rejects with FaultError `store_unavailable` when Redis is away. `keepRecords`: how long the
 * record of a batch outlives its end.
 */
export class BatchStore {
  readonly #redis: Redis & Scripts
  readonly #keepRecords: () => Ms

  constructor(redis: Redis, keepRecords: () => Ms) {
    this.#redis = withScripts(redis)
    this.#keepRecords = keepRecords
  }

  async create(head: BatchHead, { key, fingerprint, keep }: Idempotency): Promise<BatchCreated> {
    await fromStore(this.#redis.sadd(keys.batchTenants, head.tenant))
    // Its end is told by the sweep of tenants with jobs, also where no line has become one.
    await fromStore(this.#redis.sadd(keys.jobTenants, head.tenant))
    const args = [head.id, JSON.stringify(head), key, fingerprint, keep]
    const reply = (await this.#run('batchesCreate', head.tenant, ...args)) as
      | ['mismatch']
      | ['created' | 'replayed', Flat]
    if (reply[0] === 'mismatch') return { type: 'mismatch' }
    return { type: reply[0], batch: batchFrom(reply[1]) }
  }

  /** What `create` would answer to a request that has been made before; null for a new one. */
  async known(tenant: string, { key, fingerprint }: Idempotency): Promise<BatchCreated | null> {
    const line = await fromStore(this.#redis.get(`${keys.tenant(tenant)}:idem:${key}`))
    const [print, id = ''] = line?.split(' ') ?? []
    if (print === undefined) return null
    if (print !== fingerprint) return { type: 'mismatch' }
    const batch = await this.read(tenant, id)
    return batch === null ? null : { type: 'replayed', batch }
  }

  async read(tenant: string, id: string): Promise<Batch | null> {
    if (!isId('batch', id)) return null
    const name = `${keys.tenant(tenant)}:batch:${id}`
    const [record, counts, refused] = await fromStore(
      Promise.all([
        this.#redis.hgetall(`${name}:record`),
        this.#redis.hgetall(name),
        this.#redis.hlen(`${name}:refused`),
      ]),
    )
    if (record.head === undefined) return null
    return batchFrom(Object.entries({ ...record, ...counts, refused: String(refused) }).flat())
  }

  async list(
    tenant: string,
    { after = '', before = '', limit }: { after?: string | undefined; before?: string | undefined; limit: number },
  ): Promise<{ batches: Batch[]; hasMore: boolean }> {
    const [more, ...found] = (await this.#run('batchesList', tenant, after, before, limit)) as [number, ...Flat[]]
    return { batches: found.map(batchFrom), hasMore: more === 1 }
  }

  /** Asks for its end; null for an id that never was. What is being finished, or over, stays as it is. */
  async cancel(tenant: string, id: string): Promise<Batch | null> {
    if (!isId('batch', id)) return null
    const reply = (await this.#run('batchesCancel', tenant, id)) as Flat | null
    return reply === null ? null : batchFrom(reply)
  }

  /** Batches of a tenant that somebody should look at now, for this process alone until it writes when to look again. */
  async claim(tenant: string, most: number): Promise<BatchHold[]> {
    const token = randomUUID()
    const found = (await this.#run('batchesClaim', tenant, token, BATCH_LEASE, most)) as Flat[]
    return found.map((flat) => ({ batch: batchFrom(flat), token }))
  }

  /** Writes how far it has come; null when the hold is lost. `again`: gives it back, to be looked at after that. */
  async write({ batch, token }: BatchHold, patch: BatchPatch, again: Ms | null = null): Promise<BatchHold | null> {
    const args = [batch.id, token, again ?? '', BATCH_LEASE, this.#keepRecords(), ...fieldsOf(patch)]
    const reply = (await this.#run('batchesWrite', batch.tenant, ...args)) as Flat | null
    return reply === null ? null : { batch: batchFrom(reply), token }
  }

  /** No job can be made of a line; false when the hold is lost. */
  async refuse({ batch, token }: BatchHold, error: LineError): Promise<boolean> {
    const args = [batch.id, token, error.line ?? 0, JSON.stringify(error)]
    return (await this.#run('batchesRefuse', batch.tenant, ...args)) === 1
  }

  /** Lines that no job could be made of, by their number. */
  async refusals(tenant: string, id: string): Promise<Map<number, LineError>> {
    const raw = await fromStore(this.#redis.hgetall(`${keys.tenant(tenant)}:batch:${id}:refused`))
    return new Map(Object.entries(raw).map(([line, json]) => [Number(line), JSON.parse(json) as LineError]))
  }

  /** Tenants that have had batches. */
  tenants(): Promise<string[]> {
    return fromStore(this.#redis.smembers(keys.batchTenants))
  }

  #run(script: keyof Scripts, tenant: string, ...args: Argument[]): Promise<unknown> {
    return fromStore(this.#redis[script](keys.tenant(tenant), '', ...args))
  }
}

function fieldsOf({ cursor, errors, ...patch }: BatchPatch): Argument[] {
  const plain = Object.entries(patch).flatMap(([name, value]) => [name, value ?? ''])
  const place = cursor === undefined ? [] : ['line', cursor.line, 'offset', cursor.offset]
  return [...plain, ...place, ...(errors === undefined ? [] : ['errors', JSON.stringify(errors)])]
}

function batchFrom(flat: Flat): Batch {
  const raw: Record<string, string> = {}
  for (let i = 0; i + 1 < flat.length; i += 2) raw[flat[i] as string] = String(flat[i + 1])
  const head = JSON.parse(raw.head ?? '') as BatchHead
  const count = (name: string) => Number(raw[name] ?? 0)
  const stored = raw.status as BatchStatus
  const cancelAsked = raw.cancel === '1'
  const times = BATCH_STATUSES.flatMap((status) => {
    const at = raw[`at:${status}`]
    return at === undefined ? [] : [[status, Number(at)] as const]
  })
  return {
    ...head,
    status: cancelAsked && (stored === 'validating' || stored === 'in_progress') ? 'cancelling' : stored,
    createdAt: idTime('batch', head.id) as Instant,
    total: count('total'),
    cursor: { line: Number(raw.line ?? 1), offset: count('offset') },
    made: count('made'),
    refused: count('refused'),
    succeeded: count('succeeded'),
    unsuccessful: count('failed') + count('canceled') + count('expired'),
    errors: raw.errors === undefined ? [] : (JSON.parse(raw.errors) as LineError[]),
    outputFileId: raw.outputFileId === undefined || raw.outputFileId === '' ? null : raw.outputFileId,
    errorFileId: raw.errorFileId === undefined || raw.errorFileId === '' ? null : raw.errorFileId,
    cancelAsked,
    outcome: (raw.outcome ?? 'completed') as BatchEnd,
    times: Object.fromEntries(times),
  }
}

function withScripts(redis: Redis): Redis & Scripts {
  const read = (name: string) => readFileSync(new URL(`./scripts/batches/${name}.lua`, import.meta.url), 'utf8')
  const prelude = read('prelude')
  for (const name of SCRIPTS) {
    const command = `batches${name[0]?.toUpperCase()}${name.slice(1)}`
    redis.defineCommand(command, { numberOfKeys: 1, lua: prelude + read(name) })
  }
  return redis as Redis & Scripts
}
