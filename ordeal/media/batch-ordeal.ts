import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { Redis } from 'ioredis'
import sharp from 'sharp'
import { systemClock } from '../../src/clock.ts'
import { FolderStorage } from '../../src/storage/folder-storage.ts'
import { bytes } from '../../src/units.ts'
import { PrivateRedis } from '../../test/support/private-redis.ts'
import { type Finding, finding } from '../evidence.ts'
import { Member } from '../fleet.ts'
import { CROWD, mediaPolicy, mediaPremises } from './media-premises.ts'

export interface BatchOrder {
  readonly lines: number
  /** Longest time for the batch. */
  readonly lengthMs: number
  readonly keep: boolean
}

const WORKERS = 2
/** The settings of the embedded Redis (src/store/embedded-redis.ts) that decide how much it holds. */
const AS_EMBEDDED = ['--maxmemory', '256mb', '--hash-max-ziplist-value', '1024']
/** One of the processes of workers is killed so often. */
const KILL_EVERY_MS = 5_000
const OVER = ['completed', 'failed', 'expired', 'cancelled']

interface BatchSeen {
  readonly id: string
  readonly status: string
  readonly output_file_id: string | null
  readonly error_file_id: string | null
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number }
}

/** One batch whose workers are killed one after another, for as long as it takes. Returns what became of each promise. */
export async function batchOrdeal(order: BatchOrder, say: (line: string) => void): Promise<Finding[]> {
  await using stack = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'parley-batch-ordeal-'))
  if (order.keep) say(`logs in ${folder}`)
  else stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  say(`${order.lines} lines, one of ${WORKERS} processes of workers killed every ${KILL_EVERY_MS / 1_000} s`)

  const server = stack.use(await PrivateRedis.start(AS_EMBEDDED))
  const socket = server.url.replace('unix:', '')
  const pictures = await pictureServer(stack)
  const storagePath = join(folder, 'media')
  mkdirSync(storagePath)
  const premises = mediaPremises(1)
  const members: Member[] = []
  for (const name of ['broker-0', ...Array.from({ length: WORKERS }, (_, i) => `workers-${i}`)]) {
    const places = { folder, redis: socket, provider: pictures }
    const member = stack.use(await Member.make(name, name.startsWith('broker') ? 'broker' : 'workers', places))
    member.write((at) => {
      const policy = mediaPolicy(premises, { ...at, storage: storagePath, hooks: pictures })
      const media = { ...policy.media, queue: { jobs: 8, calls: 2 } }
      return { ...policy, media, plans: { default: { jobs: { running: 16, requestsPerMinute: null } } } }
    })
    members.push(member)
  }
  await Promise.all(members.map((member) => member.bringUp()))
  const [broker, ...workers] = members as [Member, ...Member[]]
  const redis = new Redis({ path: socket })
  stack.defer(() => redis.disconnect())
  const client = clientOf(broker.url ?? '', premises.tenants.get(CROWD)?.key ?? '')

  const names = Array.from({ length: order.lines }, (_, i) => `line-${i}`)
  let batch = await client.begin(names.map((name) => lineOf(name, pictures)).join('\n'))
  const began = Date.now()
  const took = () => Math.round((Date.now() - began) / 1_000)
  const killing = new AbortController()
  const killer = killInTurn(workers, killing.signal)
  let said = ''
  let memory = 0
  while (!OVER.includes(batch.status) && Date.now() - began < order.lengthMs) {
    await after(1_000)
    batch = await client.read(batch.id)
    memory = Math.max(memory, Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]))
    const { total, completed } = batch.request_counts
    const now = `${batch.status}, ${Math.floor((completed / Math.max(1, total)) * 10) * 10} %`
    if (now !== said) say(`${String(took()).padStart(5)} s  ${now}`)
    said = now
  }
  killing.abort()
  const kills = await killer
  say(`${took()} s, ${kills} kills, Redis used ${(memory / 1_048_576).toFixed(0)} MiB at the most`)
  const storage = await FolderStorage.open(storagePath, bytes(0), systemClock.now())
  return [
    finding('the batch is completed', JSON.stringify(batch.request_counts), [
      ...(batch.status === 'completed' ? [] : [`it is ${batch.status}`]),
      ...(batch.request_counts.completed === order.lines ? [] : ['not all lines are']),
    ]),
    await checkLines(batch, names, client),
    await checkSheets(storage),
  ]
}

async function pictureServer(stack: AsyncDisposableStack): Promise<number> {
  const blank = { create: { width: 40, height: 30, channels: 3, background: '#fff' } } as const
  const picture = await sharp(blank).png().toBuffer()
  const server = createServer((_request, response) => void response.end(picture))
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

const lineOf = (custom_id: string, pictures: number) =>
  JSON.stringify({
    ...{ custom_id, method: 'POST', url: '/v1/jobs' },
    body: { type: 'image.prepare', input: { url: `http://127.0.0.1:${pictures}/${custom_id}.png` } },
  })

async function killInTurn(workers: readonly Member[], signal: AbortSignal): Promise<number> {
  for (let kills = 0; ; kills++) {
    const isOver = await after(KILL_EVERY_MS, false, { signal }).catch(() => true)
    if (isOver) return kills
    const next = workers[kills % workers.length]
    await next?.end('SIGKILL')
    await next?.bringUp()
  }
}

function clientOf(door: string, key: string) {
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${key}`, ...init.headers }
    const answer = await fetch(`${door}${path}`, { ...init, headers })
    if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status} ${await answer.text()}`)
    return answer
  }
  const read = async (id: string) => (await ask(`/v1/batches/${id}`)).json() as Promise<BatchSeen>
  const begin = async (lines: string) => {
    const form = new FormData()
    form.append('file', new File([lines], 'in.jsonl'))
    form.append('purpose', 'batch')
    const file = (await (await ask('/v1/files', { method: 'POST', body: form })).json()) as { id: string }
    const body = JSON.stringify({ input_file_id: file.id, endpoint: '/v1/jobs', completion_window: '24h' })
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'ordeal' }
    return (await ask('/v1/batches', { method: 'POST', headers, body })).json() as Promise<BatchSeen>
  }
  const content = async (id: string | null) => (id === null ? '' : (await ask(`/v1/files/${id}/content`)).text())
  return { read, begin, content }
}

async function checkLines(
  batch: BatchSeen,
  names: readonly string[],
  client: ReturnType<typeof clientOf>,
): Promise<Finding> {
  const texts = await Promise.all([batch.output_file_id, batch.error_file_id].map((id) => client.content(id)))
  const lines = texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { custom_id: string; response: { body: { id: string } } | null })
  const counts = new Map<string, number>()
  for (const { custom_id } of lines) counts.set(custom_id, (counts.get(custom_id) ?? 0) + 1)
  const jobs = new Set(lines.flatMap(({ response }) => response?.body.id ?? []))
  const broken = names
    .filter((name) => counts.get(name) !== 1)
    .map((name) => `${name}: ${counts.get(name) ?? 0} results`)
  if (jobs.size !== names.length) broken.push(`${jobs.size} jobs`)
  if (lines.length !== names.length) broken.push(`${lines.length} results`)
  return finding('every line has one job and one result', `${lines.length} results of ${jobs.size} jobs`, broken)
}

async function checkSheets(storage: FolderStorage): Promise<Finding> {
  const left: string[] = []
  for await (const name of storage.list()) if (name.includes('/batch_')) left.push(name)
  return finding('nothing is left of the writing of results', 'no sheet', left)
}
