import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { jobEvents } from '../../../src/http/media/job-events.ts'
import type { Job } from '../../../src/media/job.ts'
import { JobFeed } from '../../../src/store/jobs/job-feed.ts'
import { connectForFeed } from '../../../src/store/redis.ts'
import { StreamSlots } from '../../../src/store/stream-slots.ts'
import { ms } from '../../../src/units.ts'
import { JobHand } from '../../support/job-hand.ts'
import { newJob } from '../../support/jobs.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { silent } from '../../support/parley.ts'
import { TestStore } from '../../support/store.ts'

describe('a stream of events', () => {
  const stack = new AsyncDisposableStack()
  let hand: JobHand
  let feed: JobFeed
  let slots: StreamSlots

  beforeAll(async () => {
    const { store } = stack.use(await TestStore.open())
    hand = new JobHand(store)
    feed = stack.use(new JobFeed(connectForFeed(store.place, silent)))
    slots = new StreamSlots(store.redis)
  })
  afterAll(() => stack.disposeAsync())

  const start = async () => {
    const made = await hand.jobs.create(newJob('acme', systemClock.now()), null, ms(1))
    if (made.type !== 'created') throw new Error(made.type)
    return made.job
  }
  const appFor = (job: Job, clock: ManualClock) => {
    const app = new Hono()
    app.get('/', (c) => {
      c.set('principal', { tenant: 'acme', keyId: 'k', scopes: [], secret: null })
      return jobEvents(c, { clock, log: silent, jobs: hand.jobs, feed, slots }, job)
    })
    return app
  }

  test('Q1 gives a sign of life every 15 s, and tells when to come back', async () => {
    const job = await start()
    const clock = new ManualClock()
    const response = await appFor(job, clock).request('/')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    const next = async () => (await reader.read()).value
    expect(await next()).toBe('retry: 2000\n\n')
    expect(await next()).toMatch(/^id: 1\nevent: job.status\n/)
    for (let i = 0; i < 3; i++) {
      // What was read has left the stream.
      await new Promise(setImmediate)
      clock.pass(15_000)
      expect(await next()).toBe(': still here\n\n')
    }
    await reader.cancel()
  })

  test('S6 a reader that takes nothing is cut off, whatever is told meanwhile', async () => {
    const job = await start()
    const clock = new ManualClock()
    const server = createServer(getRequestListener(appFor(job, clock).fetch))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'readable')
    socket.pause()
    // More than the buffers of both sockets hold.
    const hold = await hand.start(job.id)
    for (let i = 0; i < 400; i++) await hand.jobs.segment(hold, { text: 'x'.repeat(40_000) })
    const [connection] = await new Promise<[unknown, number]>((done) => server.getConnections((e, n) => done([e, n])))
    expect(connection).toBe(null)
    const isCut = async () => (await new Promise<number>((done) => server.getConnections((_, n) => done(n)))) === 0
    for (let beats = 0; !(await isCut()); beats++) {
      expect(beats).toBeLessThan(1_000)
      clock.pass(15_000)
      await new Promise(setImmediate)
    }
    socket.destroy()
    server.close()
  })
})
