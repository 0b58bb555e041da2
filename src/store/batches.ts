import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import {
  BATCH_STATUSES,
  type Batch,
  type BatchEnd,
  type BatchHead,
  type BatchStatus,
  type Cursor,
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
  readonly seen?: number
  readonly cursor?: Batch['cursor']
  readonly errors?: readonly LineError[]
  readonly outputFileId?: string | null
  readonly errorFileId?: string | null
  readonly outcome?: BatchEnd
}

/** Results of some lines of a batch that lie in storage: first those that succeeded, then all others. */
export interface ResultSheet {
  /** The blob's own part of its name. */
  readonly name: string
  readonly outputBytes: number
  readonly errorBytes: number
}

/** A process that is silent for so long has lost its batches; it renews them with everything it writes. */
export const BATCH_LEASE = ms(10_000)

type Argument = string | number
type Flat = string[]
const SCRIPTS = ['create', 'cancel', 'claim', 'write', 'refuse', 'list', 'names', 'sheet'] as const
type Scripts = Record<
  `batches${Capitalize<(typeof SCRIPTS)[number]>}`,
  (root: string, ...args: Argument[]) => Promise<unknown>
>

const fromStore = <T>(reply: Promise<T>) => awaitStore(reply, 'Batches cannot be read or changed at the moment.')

/**
 * Records of batches, by tenant. Rejects with FaultError `store_unavailable` when Redis is away. `keepRecords`: how long the
 * record of a batch outlives its end. `lease`: how long a silent process has its batches.
 */
export class BatchStore {
  readonly #redis: Redis & Scripts
  readonly #keepRecords: () => Ms
  readonly #lease: Ms

  constructor(redis: Redis, keepRecords: () => Ms, lease: Ms = BATCH_LEASE) {
    this.#redis = withScripts(redis)
    this.#keepRecords = keepRecords
    this.#lease = lease
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
    const found = (await this.#run('batchesClaim', tenant, token, this.#lease, most)) as Flat[]
    return found.map((flat) => ({ batch: batchFrom(flat), token }))
  }

  /** Writes how far it has come; null when the hold is lost. `again`: gives it back, to be looked at after that. */
  async write({ batch, token }: BatchHold, patch: BatchPatch, again: Ms | null = null): Promise<BatchHold | null> {
    const args = [batch.id, token, again ?? '', this.#lease, this.#keepRecords(), ...fieldsOf(patch)]
    const reply = (await this.#run('batchesWrite', batch.tenant, ...args)) as Flat | null
    return reply === null ? null : { batch: batchFrom(reply), token }
  }

  /** No job can be made of a line; false when the hold is lost. */
  async refuse({ batch, token }: BatchHold, error: LineError): Promise<boolean> {
    const args = [batch.id, token, error.line ?? 0, JSON.stringify(error)]
    return (await this.#run('batchesRefuse', batch.tenant, ...args)) === 1
  }

  /** Those of some lines that no job could be made of, by their number. */
  async refusals(tenant: string, id: string, lines: readonly number[]): Promise<Map<number, LineError>> {
    const found = await fromStore(this.#redis.hmget(`${keys.tenant(tenant)}:batch:${id}:refused`, ...lines.map(String)))
    return new Map(found.flatMap((json) => (json === null ? [] : [JSON.parse(json) as LineError])).map(byLine))
  }

  /**
   * Notes what lines are called while they are looked at; resolves with the numbers of those whose name another line had
   * before, or null when the hold is lost. Noting the same line again does no harm.
   */
  async names(
    { batch, token }: BatchHold,
    lines: readonly { number: number; name: string }[],
  ): Promise<number[] | null> {
    const pairs = lines.flatMap(({ number, name }) => [nameHash(name), number])
    return (await this.#run('batchesNames', batch.tenant, batch.id, token, ...pairs)) as number[] | null
  }

  /** The results of the lines before `next` lie in storage as one more sheet; null when the hold is lost. */
  async sheet({ batch, token }: BatchHold, next: Cursor, sheet: ResultSheet): Promise<BatchHold | null> {
    const { name, outputBytes, errorBytes } = sheet
    const place = [batch.resultCursor.offset, next.line, next.offset]
    const args = [batch.id, token, this.#lease, ...place, `${name} ${outputBytes} ${errorBytes}`]
    const reply = (await this.#run('batchesSheet', batch.tenant, ...args)) as Flat | null
    return reply === null ? null : { batch: batchFrom(reply), token }
  }

  /** What has been written down of the results, in the order of the lines. */
  async sheets(tenant: string, id: string): Promise<ResultSheet[]> {
    const lines = await fromStore(this.#redis.lrange(`${keys.tenant(tenant)}:batch:${id}:sheets`, 0, -1))
    return lines.map((line) => {
      const [name, outputBytes, errorBytes] = line.split(' ') as [string, string, string]
      return { name, outputBytes: Number(outputBytes), errorBytes: Number(errorBytes) }
    })
  }

  /** Tenants that have had batches. */
  tenants(): Promise<string[]> {
    return fromStore(this.#redis.smembers(keys.batchTenants))
  }

  #run(script: keyof Scripts, tenant: string, ...args: Argument[]): Promise<unknown> {
    return fromStore(this.#redis[script](keys.tenant(tenant), '', ...args))
  }
}

const byLine = (error: LineError) => [error.line ?? 0, error] as const
/** Names are the caller's and up to 256 letters long; 96 bits of a hash tell any 50,000 of them apart. */
const nameHash = (name: string) => createHash('sha256').update(name).digest('base64').slice(0, 16)

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
    seen: count('seen'),
    cursor: { line: Number(raw.line ?? 1), offset: count('offset') },
    resultCursor: { line: Number(raw.resultLine ?? 1), offset: count('resultOffset') },
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
