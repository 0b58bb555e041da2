import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { keys } from '../../src/store/keys.ts'
import { instant } from '../../src/units.ts'
import { Announcer } from '../../src/webhooks/announcer.ts'
import { EventOutbox } from '../../src/webhooks/outbox.ts'
import { newEventId, type WebhookEvent } from '../../src/webhooks/webhook.ts'
import { LogLines, silent } from '../support/parley.ts'
import { TestStore } from '../support/store.ts'

const somethingHappened = (more: Partial<WebhookEvent> = {}): WebhookEvent => ({
  id: newEventId(),
  type: 'budget.warning',
  at: instant(1_700_000_000_000),
  data: { n: 1 },
  ...more,
})

describe('announcing', () => {
  let testStore: TestStore
  let redis: Redis
  beforeAll(async () => {
    testStore = await TestStore.open()
    redis = testStore.store.redis
  })
  afterEach(async () => void (await redis.flushdb()))
  afterAll(() => testStore[Symbol.asyncDispose]())

  test('L7 events wait for an absent redis, in order, and are sent once it is back', async () => {
    const away = { is: true }
    const sent: string[] = []
    const done = Promise.withResolvers<void>()
    using outbox = new EventOutbox(
      async ({ id }) => {
        if (away.is) throw new Error('redis is away')
        sent.push(id)
        if (sent.length === 20) done.resolve()
      },
      systemClock,
      silent,
    )
    const events = Array.from({ length: 20 }, (_, i) => somethingHappened({ id: `evt_${i}` }))
    for (const event of events.slice(0, 10)) outbox.emit(event)
    away.is = false
    for (const event of events.slice(10)) outbox.emit(event)
    await done.promise
    expect(sent).toEqual(events.map(({ id }) => id))
  })

  test('L7 no more than a thousand events wait, and the newest are kept', async () => {
    const logs = new LogLines()
    using outbox = new EventOutbox(() => Promise.reject(new Error('redis is away')), systemClock, logs.log)
    for (let i = 0; i < 1_005; i++) outbox.emit(somethingHappened())
    expect(outbox.size).toBe(1_000)
    expect(logs.lines.filter((line) => line.includes('dropped'))).toHaveLength(5)
  })

  describe('budget warnings', () => {
    const level = (percent: number, more = {}) => ({
      account: 'tenant' as const,
      limit: 'day' as const,
      spent: (percent * 1_000) as never,
      cap: 100_000 as never,
      ...more,
    })
    const acme = { tenant: 'acme' }

    function announcers(n: number) {
      const told: WebhookEvent[] = []
      const toTenants: [tenant: string, event: WebhookEvent][] = []
      const tell = {
        operators: async (event: WebhookEvent) => void told.push(event),
        tenant: async (tenant: string, event: WebhookEvent) => void toTenants.push([tenant, event]),
      }
      const each = Array.from({ length: n }, () => new Announcer(redis, tell, systemClock, silent))
      return { told, toTenants, each }
    }
    const thresholds = (told: WebhookEvent[]) => told.map(({ data }) => data.threshold)

    test('L1 are told once per threshold, whatever the number of nodes and responses', async () => {
      const { told, toTenants, each } = announcers(4)
      for (const percent of [10, 79.9, 80, 85, 94.9, 95, 100]) {
        await Promise.all(
          each.flatMap((one) => [one.budgetLevel(level(percent), acme), one.budgetLevel(level(percent), acme)]),
        )
      }
      expect(thresholds(told)).toEqual([80, 95])
      expect(told[0]).toMatchObject({
        type: 'budget.warning',
        data: { account: 'tenant', id: 'acme', limit: 'day', spent_nano: 80_000, cap_nano: 100_000 },
      })
      expect(toTenants.map(([tenant, { data }]) => [tenant, data.threshold])).toEqual([
        ['acme', 80],
        ['acme', 95],
      ])
      expect(toTenants[0]?.[1]).toMatchObject({
        ...{ id: expect.stringMatching(/^usage-tenant-acme-/), type: 'usage.threshold' },
        data: { id: 'acme', object: 'usage', limit: 'day', spent_nano_usd: 80_000, cap_nano_usd: 100_000 },
      })
    })

    test('L1 are each tenant’s, each limit’s and the installation’s own; sessions and users have none', async () => {
      const { told, toTenants, each } = announcers(1)
      const [one] = each as [Announcer]
      await one.budgetLevel(level(81), acme)
      await one.budgetLevel(level(81), { tenant: 'zenith' })
      await one.budgetLevel(level(81, { limit: 'month' }), acme)
      await one.budgetLevel(level(81, { account: 'installation' }), acme)
      for (const account of ['session', 'user']) await one.budgetLevel(level(99, { account }), acme)
      await one.budgetLevel(level(99, { limit: 'budget' }), acme)
      expect(told.map(({ id }) => id.replace(/\d{4}-\d\d(-\d\d)?-80$/, ''))).toEqual([
        'budget-tenant-acme-',
        'budget-tenant-zenith-',
        'budget-tenant-acme-',
        'budget-installation-installation-',
      ])
      expect(toTenants.map(([tenant]) => tenant)).toEqual(['acme', 'zenith', 'acme'])
    })

    test('L1 a level that comes late does not tell the lower threshold after the higher', async () => {
      const { told, each } = announcers(2)
      await each[0]?.budgetLevel(level(96), acme)
      await each[1]?.budgetLevel(level(85), acme)
      expect(thresholds(told)).toEqual([95])
    })

    test('L1 one that could not be told is told with a later level', async () => {
      const told: WebhookEvent[] = []
      let isAway = true
      const one = new Announcer(
        redis,
        {
          operators: async (event) => {
            if (isAway) throw new Error('redis is away')
            told.push(event)
          },
          tenant: async () => undefined,
        },
        systemClock,
        silent,
      )
      await one.budgetLevel(level(85), acme)
      isAway = false
      expect(told).toEqual([])
      // The claim that died lapses by itself.
      const today = new Date(systemClock.now()).toISOString().slice(0, 10)
      expect(await redis.del(keys.budgetWarning(`tenant-acme-${today}-80`))).toBe(1)
      await one.budgetLevel(level(86), acme)
      expect(thresholds(told)).toEqual([80])
    })
  })
})
