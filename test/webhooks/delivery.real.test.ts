import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Fetcher } from '../../src/net/fetcher.ts'
import { keys } from '../../src/store/keys.ts'
import { connectForQueue } from '../../src/store/redis.ts'
import { TenantHooks } from '../../src/store/tenant-hooks.ts'
import { WebhookEndpoints } from '../../src/store/webhook-endpoints.ts'
import { instant } from '../../src/units.ts'
import { EventOutbox } from '../../src/webhooks/outbox.ts'
import { endpointId, newEventId, type WebhookEndpoint, type WebhookEvent } from '../../src/webhooks/webhook.ts'
import { WEBHOOK_PREFIX, WEBHOOK_QUEUE, WebhookQueue } from '../../src/webhooks/webhook-queue.ts'
import { type DeliveryTools, deliverWebhook } from '../../workers/deliver-webhooks.ts'
import { startWebhookWorker } from '../../workers/webhook-worker.ts'
import { LogLines, silent } from '../support/parley.ts'
import { TestStore } from '../support/store.ts'

interface Heard {
  headers: IncomingHttpHeaders
  body: string
}

/** Somebody who is told; answers as the test says, 204 when it says nothing. */
class Receiver implements AsyncDisposable {
  readonly heard: Heard[] = []
  readonly #server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      this.heard.push({ headers: request.headers, body: Buffer.concat(parts).toString() })
      this.answer(response, this.heard.length)
      for (const wake of this.#waiting.splice(0)) wake()
    })
  })
  readonly #waiting: (() => void)[] = []
  answer: (response: ServerResponse, nth: number) => void = (response) => response.writeHead(204).end()

  async start(): Promise<this> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.listen(0, '127.0.0.1', () => resolve())
    await promise
    return this
  }

  endpoint(more: Partial<WebhookEndpoint> = {}): WebhookEndpoint {
    return { url: `http://127.0.0.1:${this.port}/hook`, secrets: [secret(1)], events: null, ...more }
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async count(n: number): Promise<void> {
    while (this.heard.length < n) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.push(resolve)
      await promise
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}

const secret = (fill: number) => `whsec_${Buffer.alloc(32, fill).toString('base64')}`
const somethingHappened = (more: Partial<WebhookEvent> = {}): WebhookEvent => ({
  id: newEventId(),
  type: 'budget.warning',
  at: instant(1_700_000_000_000),
  data: { n: 1 },
  ...more,
})

describe('webhooks', () => {
  let testStore: TestStore
  let redis: Redis
  const stack: AsyncDisposable[] = []
  beforeAll(async () => {
    testStore = await TestStore.open()
    redis = testStore.store.redis
  })
  afterEach(async () => {
    for (const each of stack.splice(0).reverse()) await each[Symbol.asyncDispose]()
    await redis.flushdb()
  })
  afterAll(() => testStore[Symbol.asyncDispose]())

  function use<T extends AsyncDisposable>(each: T): T {
    stack.push(each)
    return each
  }

  async function receiver(): Promise<Receiver> {
    return use(await new Receiver().start())
  }

  /** The whole way, with endpoints that the test may change under way. */
  function installation(endpoints: WebhookEndpoint[]) {
    const ports = endpoints.map(({ url }) => Number(new URL(url).port))
    const fetcher = new Fetcher(
      () => ({ allowHttp: true, ports, allowHosts: null, allowPrivate: ['127.0.0.0/8'] }),
      systemClock,
    )
    const queue = use(new WebhookQueue(redis, () => endpoints))
    const logs = new LogLines()
    const tools: DeliveryTools = {
      clock: systemClock,
      log: logs.log,
      redis,
      fetcher,
      health: new WebhookEndpoints(redis),
      endpoints: () => endpoints,
      hooks: new TenantHooks(redis, () => systemClock.now()),
      publish: (event, except) => queue.publish(event, except),
    }
    return { queue, tools, logs }
  }

  function work(tools: DeliveryTools): void {
    const connection = connectForQueue(testStore.store.place, silent)
    stack.push({ [Symbol.asyncDispose]: async () => connection.disconnect() })
    use(startWebhookWorker(connection, tools))
  }

  const jobs = () => use(new BareQueue(redis))

  test('Q1 an event reaches everybody who wants it, once, signed over the very bytes', async () => {
    const [all, some, none] = [await receiver(), await receiver(), await receiver()]
    const { queue, tools } = installation([
      all.endpoint(),
      some.endpoint({ events: ['budget.warning'], secrets: [secret(3), secret(2)] }),
      none.endpoint({ events: ['webhook.disabled'] }),
    ])
    work(tools)
    const event = somethingHappened()
    await queue.publish(event)
    // As after a reply that was lost.
    await queue.publish(event)
    await queue.publish(somethingHappened({ type: 'objective.stepped' }))
    await Promise.all([all.count(2), some.count(1)])
    expect(none.heard).toEqual([])
    expect(some.heard).toHaveLength(1)
    expect(all.heard.filter(({ headers }) => headers['webhook-id'] === event.id)).toHaveLength(1)

    const { headers, body } = some.heard[0] as Heard
    expect(headers).toMatchObject({ 'webhook-id': event.id, 'content-type': 'application/json' })
    expect(JSON.parse(body)).toEqual({ type: 'budget.warning', timestamp: '2023-11-14T22:13:20.000Z', data: { n: 1 } })
    const signed = (fill: number) =>
      `v1,${createHmac('sha256', Buffer.alloc(32, fill)).update(`${event.id}.${headers['webhook-timestamp']}.${body}`).digest('base64')}`
    expect(headers['webhook-signature']).toBe(`${signed(3)} ${signed(2)}`)
  })

  test('Q1 a failed delivery is tried again by the schedule, under the same id', async () => {
    const to = await receiver()
    to.answer = (response) => response.writeHead(500).end('x'.repeat(100_000))
    const { queue, tools } = installation([to.endpoint()])
    work(tools)
    const event = somethingHappened()
    await queue.publish(event)
    await to.count(1)
    const { job, delay } = await jobs().delayed(`${event.id}-${endpointId(to.endpoint())}`)
    expect(delay).toBeGreaterThanOrEqual(4_000)
    expect(delay).toBeLessThanOrEqual(6_000)
    to.answer = (response) => response.writeHead(200).end()
    await job.promote()
    await to.count(2)
    expect(to.heard.map(({ headers }) => headers['webhook-id'])).toEqual([event.id, event.id])
    while ((await tools.health.health(endpointId(to.endpoint()))).failures > 0);
  })

  test('Q1 a receiver that asks for time gets it', async () => {
    const to = await receiver()
    to.answer = (response) => response.writeHead(503, { 'retry-after': '90' }).end()
    const { queue, tools } = installation([to.endpoint()])
    work(tools)
    const event = somethingHappened()
    await queue.publish(event)
    await to.count(1)
    const { delay } = await jobs().delayed(`${event.id}-${endpointId(to.endpoint())}`)
    expect(delay).toBe(90_000)
  })

  describe('one attempt', () => {
    const attempt = async (to: Receiver, change: (event: WebhookEvent) => Promise<void> = async () => undefined) => {
      const endpoints = [to.endpoint()]
      const { queue, tools } = installation(endpoints)
      const event = somethingHappened()
      await queue.publish(event)
      await change(event)
      const delivery = { event: event.id, endpoint: endpointId(to.endpoint()) }
      return {
        tools,
        endpoints,
        delivery,
        go: () => deliverWebhook(delivery, tools, AbortSignal.timeout(10_000)),
      }
    }

    test('Q1 a redirect is a failure, and is not followed', async () => {
      const [to, elsewhere] = [await receiver(), await receiver()]
      to.answer = (response) => response.writeHead(307, { location: elsewhere.endpoint().url }).end()
      const { go } = await attempt(to)
      expect(await go()).toEqual({ type: 'failed', status: 307, code: null, why: 'status 307', retryAfter: null })
      expect(elsewhere.heard).toEqual([])
    })

    test('Q1 a 2xx counts, whatever becomes of the body', async () => {
      const to = await receiver()
      to.answer = (response) => {
        response.writeHead(200, { 'content-length': '100000' })
        response.write('x', () => response.destroy())
      }
      const { go } = await attempt(to)
      expect(await go()).toMatchObject({ type: 'delivered' })
    })

    test('Q1 410 ends the endpoint at once, and is told to the others, once', async () => {
      const to = await receiver()
      to.answer = (response) => response.writeHead(410).end()
      const { go, tools, delivery } = await attempt(to)
      const told: WebhookEvent[] = []
      const publish = async (event: WebhookEvent) => void told.push(event)
      const gone = () => deliverWebhook(delivery, { ...tools, publish }, AbortSignal.timeout(10_000))
      expect(await gone()).toEqual({ type: 'dropped', why: 'gone' })
      expect(await go()).toEqual({ type: 'dropped', why: 'endpoint_disabled' })
      expect(to.heard).toHaveLength(1)
      expect(told.map(({ type, data }) => ({ type, data }))).toEqual([
        { type: 'webhook.disabled', data: { endpoint: delivery.endpoint, reason: 'gone' } },
      ])
      await tools.health.enable(delivery.endpoint)
      expect(await gone()).toEqual({ type: 'dropped', why: 'gone' })
    })

    test('Q1 five days of nothing but failures end the endpoint', async () => {
      const to = await receiver()
      to.answer = (response) => response.writeHead(500).end()
      const { go, tools, delivery } = await attempt(to)
      expect((await go()).type).toBe('failed')
      const key = keys.webhookEndpoint(delivery.endpoint)
      const day = 24 * 3_600_000
      await redis.hset(key, 'failingSince', String(Math.floor(systemClock.now() - 5 * day + 60_000)))
      expect((await go()).type).toBe('failed')
      expect((await tools.health.health(delivery.endpoint)).disabled).toBeNull()
      await redis.hset(key, 'failingSince', String(Math.floor(systemClock.now() - 5 * day - 1)))
      expect((await go()).type).toBe('failed')
      expect(await tools.health.health(delivery.endpoint)).toMatchObject({ failures: 3, disabled: 'failing' })
      expect(await go()).toEqual({ type: 'dropped', why: 'endpoint_disabled' })
    })

    test('Q1 after ten failures in a row one delivery a minute probes; a success lets all through', async () => {
      const to = await receiver()
      to.answer = (response, nth) => response.writeHead(nth <= 10 ? 500 : 200).end()
      const { go, tools, delivery } = await attempt(to)
      for (let i = 0; i < 10; i++) expect((await go()).type).toBe('failed')
      await redis.set(keys.webhookProbe(delivery.endpoint), '1', 'PX', 60_000)
      const outcome = await go()
      expect(outcome.type).toBe('postponed')
      expect(to.heard).toHaveLength(10)
      await redis.del(keys.webhookProbe(delivery.endpoint))
      expect(await go()).toMatchObject({ type: 'delivered' })
      expect(await go()).toMatchObject({ type: 'delivered' })
      expect(await tools.health.health(delivery.endpoint)).toEqual({ failures: 0, failingSince: null, disabled: null })
    })

    test('Q1 an endpoint taken out of the configuration gets nothing more; an event that is no more, neither', async () => {
      const to = await receiver()
      const first = await attempt(to, async (event) => void (await redis.del(keys.webhookEvent(event.id))))
      expect(await first.go()).toEqual({ type: 'dropped', why: 'event_expired' })
      first.endpoints.pop()
      expect(await first.go()).toEqual({ type: 'dropped', why: 'endpoint_removed' })
      expect(to.heard).toEqual([])
    })

    test('Q1 a receiver inside the house is not reached unless the operator opens it', async () => {
      const to = await receiver()
      const { tools, delivery } = await attempt(to)
      const rules = { allowHttp: true, ports: [to.port], allowHosts: null, allowPrivate: [] }
      const fetcher = new Fetcher(() => rules, systemClock)
      expect(await deliverWebhook(delivery, { ...tools, fetcher }, AbortSignal.timeout(10_000))).toEqual({
        type: 'failed',
        status: null,
        code: 'url_not_allowed',
        why: 'the host is not a public one',
        retryAfter: null,
      })
      expect(to.heard).toEqual([])
    })
  })

  test('Q1 an event can be delivered again, under its own id, as often as somebody asks', async () => {
    const to = await receiver()
    const { queue, tools } = installation([to.endpoint()])
    work(tools)
    const event = somethingHappened()
    await queue.publish(event)
    await to.count(1)
    expect(await queue.redeliver(event.id, 'ask1')).toBe(true)
    expect(await queue.redeliver(event.id, 'ask1')).toBe(true)
    await to.count(2)
    expect(await queue.redeliver(event.id, 'ask2', endpointId(to.endpoint()))).toBe(true)
    await to.count(3)
    expect(new Set(to.heard.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([event.id]))
    expect(await queue.redeliver(event.id, 'ask3', 'another')).toBe(false)
    expect(await queue.redeliver('unknown', 'ask4')).toBe(false)
  })

  test('Q1 a receiver that hangs does not hold up another', async () => {
    const [slow, quick] = [await receiver(), await receiver()]
    slow.answer = () => undefined
    const { queue, tools } = installation([
      slow.endpoint({ events: ['objective.stepped'] }),
      quick.endpoint({ events: ['budget.warning'] }),
    ])
    work(tools)
    for (let i = 0; i < 50; i++) await queue.publish(somethingHappened({ type: 'objective.stepped' }))
    await slow.count(4)
    for (let i = 0; i < 10; i++) await queue.publish(somethingHappened({ type: 'budget.warning' }))
    await quick.count(10)
    expect(slow.heard).toHaveLength(4)
  })

  test('L7 an event that comes while redis is dead is delivered once it is back, by a worker that lost it too', async () => {
    const to = await receiver()
    const { queue, tools } = installation([to.endpoint()])
    work(tools)
    using outbox = new EventOutbox((event) => queue.publish(event), systemClock, silent)
    const before = somethingHappened()
    outbox.emit(before)
    await to.count(1)
    const pid = Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1])
    const away = Promise.withResolvers<void>()
    redis.once('close', () => away.resolve())
    process.kill(pid, 'SIGKILL')
    await away.promise
    const during = somethingHappened()
    outbox.emit(during)
    await to.count(2)
    expect(to.heard.map(({ headers }) => headers['webhook-id'])).toEqual([before.id, during.id])
  })
})

/** The queue as BullMQ shows it. */
class BareQueue implements AsyncDisposable {
  readonly #queue: Queue

  constructor(connection: Redis) {
    this.#queue = new Queue(WEBHOOK_QUEUE, { connection, prefix: WEBHOOK_PREFIX })
  }

  /** A job once it waits for its next attempt, and how long it does, ms. */
  async delayed(id: string) {
    for (;;) {
      const job = await this.#queue.getJob(id)
      if (job !== undefined && (await job.isDelayed()) && job.attemptsMade > 0) return { job, delay: job.delay }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close()
  }
}
