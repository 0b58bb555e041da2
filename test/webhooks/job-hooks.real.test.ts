import type { IncomingMessage } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import type { Job } from '../../src/media/job.ts'
import type { JobNews } from '../../src/store/jobs/back-office.ts'
import { connectForQueue } from '../../src/store/redis.ts'
import type { EndedSession } from '../../src/store/session-records.ts'
import { TenantHooks } from '../../src/store/tenant-hooks.ts'
import { WebhookEndpoints } from '../../src/store/webhook-endpoints.ts'
import { instant } from '../../src/units.ts'
import { publishJobNews } from '../../src/webhooks/job-hooks.ts'
import { publishSessionEnd } from '../../src/webhooks/session-hooks.ts'
import { WebhookQueue } from '../../src/webhooks/webhook-queue.ts'
import { startWebhookWorker } from '../../workers/webhook-worker.ts'
import { eventually } from '../support/eventually.ts'
import { newJob } from '../support/jobs.ts'
import { fetcher, serverOf } from '../support/outbound.ts'
import { policy, silent } from '../support/parley.ts'
import { sessionHead } from '../support/sessions.ts'
import { TestStore } from '../support/store.ts'

let own: TestStore
beforeAll(async () => {
  own = await TestStore.open()
})
afterAll(() => own[Symbol.asyncDispose]())
/** Of one test: a worker that stayed would take the deliveries of the next, and may not reach its receiver. */
let stack = new AsyncDisposableStack()
afterEach(async () => {
  await stack.disposeAsync()
  stack = new AsyncDisposableStack()
})

interface Heard {
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: string
}

async function installation() {
  const heard: Heard[] = []
  const port = await serverOf(async (request: IncomingMessage, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    heard.push({ path: request.url ?? '', headers: request.headers as Record<string, string>, body })
    response.writeHead(204).end()
  })
  const { redis, place } = own.store
  const config = configFrom(policy(null, '/nowhere'))
  const hooks = new TenantHooks(redis, () => systemClock.now())
  const queue = stack.use(new WebhookQueue(redis, () => []))
  const connection = connectForQueue(place, silent)
  stack.defer(() => connection.disconnect())
  stack.use(
    startWebhookWorker(connection, {
      ...{ clock: systemClock, log: silent, redis, fetcher: fetcher(port), hooks },
      ...{ health: new WebhookEndpoints(redis), endpoints: () => [], publish: async () => undefined },
    }),
  )
  const tell = (job: Job, type: JobNews['type'], seq: number) =>
    publishJobNews({ config: () => config, hooks, queue }, job.tenant, {
      ...{ id: `msg_${job.id.slice(4)}_${seq}`, type, at: systemClock.now(), job: job.id, seq, member: '' },
      ...{ webhook: job.webhook, metadata: job.metadata },
    })
  const sessionOver = (ended: EndedSession) => publishSessionEnd({ config: () => config, hooks, queue }, ended)
  const tellOf = (tenant: string, news: JobNews) => publishJobNews({ config: () => config, hooks, queue }, tenant, news)
  return { heard, hooks, tell, tellOf, sessionOver, url: (path: string) => `http://127.0.0.1:${port}${path}` }
}

test('Q1 a job tells its own URL and the endpoints of its tenant, each once, signed by the secret of each', async () => {
  const { heard, hooks, tell, url } = await installation()
  const made = await hooks.create('acme', { url: url('/tenant'), events: ['job.succeeded'] })
  await hooks.create('zenith', { url: url('/other'), events: null })
  const webhook = { url: url('/own'), events: ['job.succeeded', 'job.failed'] as const }
  const job = newJob('acme', systemClock.now(), {
    ...{ status: 'succeeded', endedAt: systemClock.now(), metadata: { case: 'A-17' } },
    webhook: { url: webhook.url, events: [...webhook.events] },
  })
  await tell(job, 'job.queued', 1)
  await tell(job, 'job.succeeded', 3)
  await tell(job, 'job.succeeded', 3)
  await eventually(() => expect(heard.map(({ path }) => path).sort()).toEqual(['/own', '/tenant']), 10_000)
  const secrets = { '/own': await hooks.secretForJobs('acme'), '/tenant': made?.secret ?? '' }
  for (const { path, headers, body } of heard) {
    const read = new Webhook(secrets[path as '/own']).verify(body, headers)
    expect(read).toMatchObject({
      type: 'job.succeeded',
      data: { id: job.id, status: 'succeeded', seq: 3, metadata: { case: 'A-17' } },
    })
    expect(headers['webhook-id']).toBe(`msg_${job.id.slice(4)}_3`)
  }
})

test('Q1 the end of a batch is told to those who asked for it, and leads to the batch', async () => {
  const { heard, hooks, tellOf, url } = await installation()
  await hooks.create('press', { url: url('/batches'), events: ['batch.completed'] })
  await hooks.create('press', { url: url('/jobs'), events: ['job.succeeded'] })
  const at = systemClock.now()
  const news = { id: 'msg_x_1', type: 'batch.completed', at, job: 'batch_x', seq: 1, member: '' } as const
  await tellOf('press', { ...news, webhook: null, metadata: { night: 'shift' } })
  await eventually(() => expect(heard).toHaveLength(1), 10_000)
  expect(heard[0]?.path).toBe('/batches')
  expect(JSON.parse(heard[0]?.body ?? '')).toMatchObject({
    type: 'batch.completed',
    data: {
      ...{ id: 'batch_x', object: 'batch', status: 'completed', metadata: { night: 'shift' } },
      ended_at: new Date(at).toISOString(),
      result_url: expect.stringMatching(/\/v1\/batches\/batch_x$/),
    },
  })
})

test('Q1 a file whose time is over is told of by its id', async () => {
  const { heard, hooks, tellOf, url } = await installation()
  await hooks.create('shelf', { url: url('/files'), events: ['file.expired'] })
  const at = systemClock.now()
  const news = { id: 'msg_f_1', type: 'file.expired', at, job: 'file_x', seq: 1, member: '' } as const
  await tellOf('shelf', { ...news, webhook: null, metadata: {} })
  await eventually(() => expect(heard).toHaveLength(1), 10_000)
  expect(JSON.parse(heard[0]?.body ?? '')).toMatchObject({
    type: 'file.expired',
    data: { id: 'file_x', object: 'file', status: 'expired', ended_at: new Date(at).toISOString(), result_url: null },
  })
})

test('S1 the end of a session is told once, with its reason, however many nodes notice it', async () => {
  const { heard, hooks, sessionOver, url } = await installation()
  await hooks.create('phone', { url: url('/sessions'), events: ['session.ended'] })
  await hooks.create('phone', { url: url('/jobs'), events: ['job.failed'] })
  const head = { ...sessionHead('sess_1', 'phone', instant(1_000)), user: 'ann' }
  const usage = { input_tokens: 1, output_tokens: 2, responses: 1, cost_nano_usd: 3_000 }
  const ended = { head, usage, reason: 'idle_timeout' as const, endedAt: instant(61_000) }
  await Promise.all([sessionOver(ended), sessionOver(ended), sessionOver(ended)])
  await hooks.create('phone', { url: url('/last'), events: ['session.ended'] })
  await sessionOver({ ...ended, head: { ...head, id: 'sess_2' } })
  await eventually(
    () => expect(heard.map(({ path }) => path).sort()).toEqual(['/last', '/sessions', '/sessions']),
    10_000,
  )
  expect(heard.map(({ headers }) => headers['webhook-id']).sort()).toEqual([
    ...['session-sess_1', 'session-sess_2', 'session-sess_2'],
  ])
  const first = heard.find(({ headers }) => headers['webhook-id'] === 'session-sess_1')
  expect(JSON.parse(first?.body ?? '')).toMatchObject({
    type: 'session.ended',
    data: {
      ...{ id: 'sess_1', object: 'session', status: 'ended', user: 'ann', reason: 'idle_timeout' },
      ...{ duration_ms: 60_000, cost_nano_usd: 3_000, ended_at: new Date(61_000).toISOString() },
      result_url: expect.stringMatching(/\/v1\/sessions\/sess_1$/),
    },
  })
})

test('Q1 after a change of secrets the old one signs on, and a removed endpoint hears nothing more', async () => {
  const { heard, hooks, tell, url } = await installation()
  const made = await hooks.create('turn', { url: url('/turn'), events: null })
  const { hook, secret: old } = made ?? expect.fail('not made')
  const fresh = (await hooks.rotate('turn', hook.id)) ?? ''
  const job = newJob('turn', systemClock.now())
  await tell(job, 'job.queued', 1)
  await eventually(() => expect(heard).toHaveLength(1), 10_000)
  for (const secret of [old, fresh]) {
    expect(() => new Webhook(secret).verify(heard[0]?.body ?? '', heard[0]?.headers ?? {})).not.toThrow()
  }
  expect(await hooks.remove('acme', hook.id), 'by another tenant').toBe(false)
  expect(await hooks.remove('turn', hook.id)).toBe(true)
  expect(await hooks.wanting('turn', 'job.queued', null)).toEqual([])
  expect(await hooks.find('turn', hook.id)).toBeNull()
  expect(await hooks.change('turn', hook.id, { enabled: false })).toBeNull()
})

test('Q1 an endpoint can be switched off, and a tenant has a bounded number of them', async () => {
  const { hooks, url } = await installation()
  const made = await hooks.create('many', { url: url('/a'), events: null })
  const id = made?.hook.id ?? ''
  expect(await hooks.change('many', id, { enabled: false, events: ['job.failed'] })).toMatchObject({ enabled: false })
  expect(await hooks.wanting('many', 'job.failed', null)).toEqual([])
  for (let i = 1; i < 20; i++) expect(await hooks.create('many', { url: url(`/${i}`), events: null })).not.toBeNull()
  expect(await hooks.create('many', { url: url('/b'), events: null })).toBeNull()
})
