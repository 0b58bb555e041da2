import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashKey, keyId } from '../../src/auth/keys.ts'
import { systemClock } from '../../src/clock.ts'
import { connectForQueue } from '../../src/store/redis.ts'
import { TenantHooks } from '../../src/store/tenant-hooks.ts'
import { WebhookEndpoints } from '../../src/store/webhook-endpoints.ts'
import { type MessageRef, WebhookMessages } from '../../src/store/webhook-messages.ts'
import { type Instant, instant } from '../../src/units.ts'
import { newEventId, type WebhookEventType } from '../../src/webhooks/webhook.ts'
import { WebhookQueue } from '../../src/webhooks/webhook-queue.ts'
import { startWebhookWorker } from '../../workers/webhook-worker.ts'
import { eventually } from '../support/eventually.ts'
import { MediaCaller } from '../support/media-caller.ts'
import { fetcher, serverOf } from '../support/outbound.ts'
import { demo, other, Parley, silent } from '../support/parley.ts'

const PATH = '/v1/webhook_messages'
const HOUR = 3_600_000
const WEEK = 7 * 24 * HOUR

describe('messages to the webhooks of a tenant', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let mine: MediaCaller
  let theirs: MediaCaller

  beforeAll(async () => {
    const keyOf = (key: string) => ({ id: keyId(key) ?? '', hash: hashKey(key, '') })
    const tenants = { acme: { keys: [keyOf(demo.key)] }, zenith: { keys: [keyOf(other.key)] } }
    parley = stack.use(await Parley.start({ policy: { tenants } }))
    mine = new MediaCaller(parley)
    theirs = new MediaCaller(parley, other.key)
  })
  afterAll(() => stack.disposeAsync())

  /** A receiver that answers with `status`, an endpoint of a tenant's that leads to it, and a worker. */
  async function installation(use: AsyncDisposableStack, tenant = 'acme') {
    const receiver = { status: 204, heard: [] as string[] }
    const port = await serverOf(async (request: IncomingMessage, response) => {
      for await (const _ of request);
      receiver.heard.push(String(request.headers['webhook-id']))
      // Where it fails, its next attempt is far away.
      response.writeHead(receiver.status, { 'Retry-After': '3600' }).end('what a receiver says')
    })
    const { redis, place } = parley.store
    const hooks = new TenantHooks(redis, () => systemClock.now())
    const queue = use.use(new WebhookQueue(redis, () => []))
    const connection = connectForQueue(place, silent)
    use.defer(() => connection.disconnect())
    use.use(
      startWebhookWorker(connection, {
        ...{ clock: systemClock, log: silent, redis, fetcher: fetcher(port), hooks },
        ...{ health: new WebhookEndpoints(redis), endpoints: () => [], publish: async () => undefined },
      }),
    )
    const url = `http://127.0.0.1:${port}/`
    const { hook } = (await hooks.create(tenant, { url, events: null })) ?? expect.fail('not made')
    const tell = async (at: Instant = systemClock.now(), type: WebhookEventType = 'job.succeeded') => {
      const event = { id: newEventId(), type, at, data: { id: 'job_x', secret: 'of the body' } }
      await queue.deliver(event, [{ endpoint: hook.id, tenant }])
      return event.id
    }
    const list = async (query = '') => (await mine.get(`${PATH}?endpoint_id=${hook.id}${query}`)).body
    const settled = async (event: string, status: string) => {
      let found: Record<string, unknown> = {}
      await eventually(async () => {
        found = (await list()).data.find((each: { webhook_id: string }) => each.webhook_id === event)
        expect(found).toMatchObject({ status })
      }, 10_000)
      return found
    }
    return { receiver, hook, tell, list, settled }
  }

  test('Q1 a receiver that fails is seen with its status, and is told again under the same id once it is well', async () => {
    await using use = new AsyncDisposableStack()
    const { receiver, hook, tell, list, settled } = await installation(use)
    receiver.status = 503
    const event = await tell()
    const failed = await settled(event, 'failed')
    expect(failed).toMatchObject({
      ...{ object: 'webhook_message', type: 'job.succeeded', subject_id: 'job_x', endpoint_id: hook.id },
      ...{ attempts: 1, last_outcome: { status: 503, error: null } },
    })
    const next = Date.parse(String(failed.next_attempt_at)) - Date.parse(String(failed.updated_at))
    expect(Math.abs(next - HOUR)).toBeLessThan(1_000)
    expect(JSON.stringify(failed)).not.toMatch(/receiver says|of the body/)
    expect((await list('&status=delivered')).data).toEqual([])
    expect((await list('&status=failed')).data).toEqual([failed])

    receiver.status = 200
    for (const id of [failed.id, 'x', 'msg_01k8xj3v5e7q9zt2m4n6p8r0sw']) {
      expect((await theirs.post(`${PATH}/${id}/redeliver`, {})).status).toBe(404)
    }
    expect((await theirs.get(PATH)).body.data).toEqual([])
    const key = { 'Idempotency-Key': 'again' }
    const again = await mine.post(`${PATH}/${failed.id}/redeliver`, {}, key)
    expect([again.status, again.body.id]).toEqual([202, failed.id])
    const repeated = await mine.post(`${PATH}/${failed.id}/redeliver`, {}, key)
    expect([repeated.status, repeated.headers.get('idempotent-replayed')]).toEqual([202, 'true'])
    expect(repeated.body).toEqual(again.body)
    const delivered = await settled(event, 'delivered')
    expect(delivered).toMatchObject({
      id: failed.id,
      attempts: 2,
      last_outcome: { status: 200 },
      next_attempt_at: null,
    })
    expect(receiver.heard).toEqual([event, event])
    expect((await list('&status=failed')).data).toEqual([])
  })

  test('Q1 an attempt that was still to come is given up for the one that is asked for', async () => {
    await using use = new AsyncDisposableStack()
    const { receiver, tell, settled } = await installation(use)
    receiver.status = 503
    const event = await tell()
    const { id } = await settled(event, 'failed')
    receiver.status = 204
    await mine.post(`${PATH}/${id}/redeliver`, {})
    await settled(event, 'delivered')
    const messages = new WebhookMessages(parley.store.redis)
    const former: MessageRef = { id: String(id), round: 0, type: 'job.succeeded', subject: null }
    expect(await messages.isSuperseded('acme', former)).toBe(true)
    const lost = { status: 'failed', tried: true, answered: 500, nextAttemptAt: null } as const
    await messages.attempted('acme', former, { event, endpoint: 'x' }, lost, systemClock.now())
    expect(await settled(event, 'delivered')).toMatchObject({ attempts: 2 })
  })

  test('Q1 a replay tells again what failed within a time, and nothing else', async () => {
    await using use = new AsyncDisposableStack()
    const { receiver, hook, tell, settled } = await installation(use)
    const now = systemClock.now()
    const good = await tell(instant(now - 2 * HOUR))
    await settled(good, 'delivered')
    receiver.status = 503
    const ids = [3, 2.5, 2, 1].map((hours) => instant(now - hours * HOUR))
    const [early, first, second, late] = [
      await tell(ids[0]),
      await tell(ids[1]),
      await tell(ids[2]),
      await tell(ids[3]),
    ]
    for (const event of [early, first, second, late]) await settled(event, 'failed')
    receiver.status = 204
    receiver.heard.length = 0
    const range = {
      created_after: new Date(now - 2.7 * HOUR).toISOString(),
      created_before: new Date(now - 1.5 * HOUR).toISOString(),
      endpoint_id: hook.id,
      status: 'failed',
    }
    const foreign = await theirs.post(`${PATH}/replay`, range)
    expect(foreign.body).toMatchObject({ redelivered: 0, skipped: 0, last_id: null })
    const one = await mine.post(`${PATH}/replay`, { ...range, limit: 1 })
    expect([one.status, one.body]).toMatchObject([202, { redelivered: 1, skipped: 0, has_more: true }])
    const rest = await mine.post(`${PATH}/replay`, { ...range, after: one.body.last_id })
    expect(rest.body).toMatchObject({ redelivered: 1, has_more: false })
    await settled(first, 'delivered')
    await settled(second, 'delivered')
    expect(receiver.heard.sort()).toEqual([first, second].sort())
    for (const bad of [{}, { ...range, limit: 501 }, { ...range, created_after: 'yesterday' }, { ...range, more: 1 }]) {
      expect((await mine.post(`${PATH}/replay`, bad)).status).toBe(422)
    }
  })

  test('Q1 a receiver that said it is gone is told again once its endpoint is switched on', async () => {
    await using use = new AsyncDisposableStack()
    const { receiver, hook, tell, settled } = await installation(use)
    receiver.status = 410
    const event = await tell()
    const gone = await settled(event, 'failed')
    expect(gone).toMatchObject({ last_outcome: { status: 410, error: null }, next_attempt_at: null })
    receiver.status = 204
    const later = await tell()
    expect(await settled(later, 'failed')).toMatchObject({ last_outcome: { status: null, error: 'endpoint_disabled' } })
    const patch = (enabled: boolean) => {
      const headers = { 'Content-Type': 'application/json' }
      return mine.ask('PATCH', `/v1/webhook_endpoints/${hook.id}`, { body: JSON.stringify({ enabled }), headers })
    }
    await patch(false)
    const refused = await mine.post(`${PATH}/${gone.id}/redeliver`, {})
    expect([refused.status, refused.body.code]).toEqual([409, 'wrong_state'])
    await patch(true)
    expect((await mine.post(`${PATH}/${gone.id}/redeliver`, {})).status).toBe(202)
    await settled(event, 'delivered')
    expect(receiver.heard).toEqual([event, event])
  })

  test('Q1 pages follow each other without a gap or a repetition, in both directions, over all statuses', async () => {
    const messages = new WebhookMessages(parley.store.redis)
    const now = systemClock.now()
    const made: string[] = []
    for (let i = 0; i < 25; i++) {
      const about = { event: `evt_${i}`, endpoint: 'whe_pages', type: 'job.failed', subject: null }
      const ref = await messages.begin('pages', { ...about, at: instant(now - 1_000 + i) })
      made.unshift(ref.id)
      if (i % 3 === 0) continue
      const status = i % 3 === 1 ? 'failed' : 'delivered'
      await messages.attempted('pages', ref, about, { status, tried: true, nextAttemptAt: null }, now)
    }
    const walk = async (step: (id: string) => { after?: string; before?: string }, from: 0 | -1) => {
      const seen: string[][] = []
      let cursor: ReturnType<typeof step> = {}
      for (;;) {
        const page = await messages.list('pages', { limit: 7, ...cursor })
        seen.push(page.messages.map(({ id }) => id))
        if (!page.hasMore) return seen
        cursor = step(seen.at(-1)?.at(from) ?? '')
      }
    }
    expect((await walk((after) => ({ after }), -1)).flat()).toEqual(made)
    const last = made.at(-1) ?? ''
    const back = await messages.list('pages', { limit: 30, before: last })
    expect(back.messages.map(({ id }) => id)).toEqual(made.slice(0, -1))
    const near = await messages.list('pages', { limit: 3, before: last })
    expect([near.hasMore, near.messages.map(({ id }) => id)]).toEqual([true, made.slice(-4, -1)])
    const range = { limit: 30, since: instant(now - 995), until: instant(now - 990) }
    expect((await messages.list('pages', range)).messages.map(({ id }) => id)).toEqual(made.slice(15, 20))
    expect((await messages.inOrder('pages', range)).messages.map(({ id }) => id)).toEqual(made.slice(15, 20).reverse())
  })

  test('Q1 what is kept is bounded: a week, and a thousand of those that were delivered', async () => {
    const { redis } = parley.store
    const messages = new WebhookMessages(redis)
    const now = systemClock.now()
    const tell = async (i: number, at: Instant) => {
      const about = { event: `evt_${i}`, endpoint: 'whe_bound', type: 'job.queued', subject: null }
      const ref = await messages.begin('bound', { ...about, at })
      await messages.attempted('bound', ref, about, { status: 'delivered', tried: true, nextAttemptAt: null }, at)
      return ref.id
    }
    const old = await tell(-1, instant(now - WEEK - 1))
    const ids: string[] = []
    for (let i = 0; i < 1_003; i++) ids.push(await tell(i, instant(now + i)))
    const root = 'parley:{t:bound}'
    expect(await redis.zrangebylex(`${root}:messages:delivered`, '-', '+')).toEqual(ids.slice(3))
    expect(await messages.read('bound', ids[2] ?? '')).toBeNull()
    expect((await messages.list('bound', { limit: 200, until: instant(now) })).messages).toEqual([])
    for (const key of [`message:${ids[5]}`, `message:${old}`, 'messages:delivered']) {
      const left = await redis.pttl(`${root}:${key}`)
      expect(left, key).toBeLessThanOrEqual(WEEK)
    }
    expect(await redis.pttl(`${root}:message:${ids[5]}`)).toBeGreaterThan(WEEK - 120_000)
    expect(await redis.pttl(`${root}:messages:delivered`)).toBeGreaterThan(WEEK - 120_000)
  })
})
