import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Objective } from '../../src/limits/objective.ts'
import { Metrics } from '../../src/metrics.ts'
import { keys } from '../../src/store/keys.ts'
import { type ObjectiveDeps, ObjectiveWatch } from '../../src/store/objective-watch.ts'
import { minutes, type NanoUsd, nanoUsd } from '../../src/units.ts'
import type { WebhookEvent } from '../../src/webhooks/webhook.ts'
import { LogLines } from '../support/parley.ts'
import { TestStore } from '../support/store.ts'

const dollars = (n: number): NanoUsd => nanoUsd(n * 1_000_000_000)
const step = (at: number) => ({ at, siblings: new Map([['big', 'mini']]), maxOutputTokens: 500 })
/** The line stands at the whole budget all day, so that the time of the test does not matter. */
const flat: Objective = {
  perDay: dollars(100),
  sharePercent: 100,
  by: 0,
  timeZone: 'UTC',
  steps: [step(100), step(150)],
}

/** What two nodes of one installation share. */
class World {
  spent = dollars(0)
  objective: Objective | null = flat
  readonly events: WebhookEvent[] = []
  readonly logs = new LogLines()
}

describe('the spend objective', () => {
  let redis: TestStore
  const watches: ObjectiveWatch[] = []
  beforeAll(async () => {
    redis = await TestStore.open()
  })
  afterEach(async () => {
    for (const watch of watches.splice(0)) await watch[Symbol.asyncDispose]()
    await redis.store.redis.del(keys.objective, keys.objectiveLease)
  })
  afterAll(() => redis[Symbol.asyncDispose]())

  /** Rounds only when the test asks for them. */
  async function node(world: World, more: Partial<ObjectiveDeps> = {}) {
    const metrics = new Metrics()
    const watch = new ObjectiveWatch({
      node: randomUUID(),
      redis: redis.store.redis,
      clock: systemClock,
      log: world.logs.log,
      metrics,
      objective: () => world.objective,
      spentToday: async () => world.spent,
      publish: async (event) => void world.events.push(event),
      every: minutes(10),
      ...more,
    })
    watches.push(watch)
    await watch.start()
    const gauge = async () => (await metrics.objectiveStep.get()).values[0]?.value
    return { watch, gauge }
  }

  test('L6 burning faster than the line steps down once, tells it once, and every node knows', async () => {
    const world = new World()
    const one = await node(world)
    const two = await node(world)
    expect([one.watch.step(), two.watch.step()]).toEqual([0, 0])
    world.spent = dollars(101)
    await two.watch.evaluate()
    expect(one.watch.step()).toBe(0)
    await one.watch.evaluate()
    await one.watch.evaluate()
    await two.watch.evaluate()
    expect([one.watch.step(), two.watch.step()]).toEqual([1, 1])
    expect([await one.gauge(), await two.gauge()]).toEqual([1, 1])
    expect(world.events).toHaveLength(1)
    expect(world.events[0]).toMatchObject({
      type: 'objective.stepped',
      data: { from: 0, to: 1, spent_nano: dollars(101), budget_nano: dollars(100), line_nano: dollars(100) },
    })
    expect(world.logs.lines.filter((line) => line.includes('step changed'))).toHaveLength(1)
  })

  test('L6 a node that does not lead learns the step by message, without asking', async () => {
    const world = new World()
    const one = await node(world)
    const two = await node(world)
    world.spent = dollars(200)
    await one.watch.evaluate()
    while (two.watch.step() === 0) await redis.store.redis.ping()
    expect(two.watch.step()).toBe(2)
    expect(await two.gauge()).toBe(2)
  })

  test('L6 a raised budget and the next day bring everything back', async () => {
    const world = new World()
    const { watch } = await node(world)
    world.spent = dollars(160)
    await watch.evaluate()
    expect(watch.step()).toBe(2)
    world.spent = dollars(151)
    await watch.evaluate()
    expect(watch.step()).toBe(2)
    world.objective = { ...flat, perDay: dollars(200) }
    await watch.evaluate()
    expect(watch.step()).toBe(0)

    world.objective = flat
    await watch.evaluate()
    expect(watch.step()).toBe(2)
    const stored = JSON.parse((await redis.store.redis.get(keys.objective)) ?? '')
    const yesterday = {
      ...stored,
      day: '2020-01-01',
      meter: { ...stored.meter, day: '2020-01-01', utcDay: '2020-01-01' },
    }
    await redis.store.redis.set(keys.objective, JSON.stringify(yesterday))
    world.spent = dollars(3)
    await watch.evaluate()
    expect(watch.step()).toBe(0)
    expect(world.events.map(({ data }) => [data.from, data.to])).toEqual([
      [0, 2],
      [2, 0],
      [0, 2],
      [2, 0],
    ])
    expect(new Set(world.events.map(({ id }) => id)).size).toBe(4)
  })

  test('L6 an objective taken out of the configuration takes its step with it', async () => {
    const world = new World()
    const { watch } = await node(world)
    world.spent = dollars(120)
    await watch.evaluate()
    world.objective = null
    expect(watch.step()).toBe(0)
    await watch.evaluate()
    expect(JSON.parse((await redis.store.redis.get(keys.objective)) ?? '')).toMatchObject({ step: 0, untold: null })
  })

  test('L6 only the leader decides; its successor goes on where it stood', async () => {
    const world = new World()
    const one = await node(world)
    const two = await node(world, { spentToday: () => Promise.reject(new Error('asked by one that does not lead')) })
    world.spent = dollars(120)
    await one.watch.evaluate()
    await two.watch.evaluate()
    expect(two.watch.step()).toBe(1)
    await one.watch[Symbol.asyncDispose]()
    await expect(two.watch.evaluate()).rejects.toThrow('asked by one that does not lead')
    const three = await node(world)
    expect(three.watch.step()).toBe(1)
    expect(world.events).toHaveLength(1)
  })

  test('L6 a leader that lost its lease while it was reading writes nothing', async () => {
    const world = new World()
    const { watch } = await node(world, {
      spentToday: async () => {
        if (world.spent > 0) await redis.store.redis.set(keys.objectiveLease, 'another')
        return world.spent
      },
    })
    world.spent = dollars(120)
    await watch.evaluate()
    expect(watch.step()).toBe(0)
    expect(world.events).toEqual([])
  })

  test('L6 a leader that was overtaken while it told a change writes nothing either', async () => {
    const world = new World()
    const one = await node(world, {
      publish: async () => {
        await redis.store.redis.set(keys.objectiveLease, 'another')
      },
    })
    world.spent = dollars(120)
    await one.watch.evaluate()
    expect(JSON.parse((await redis.store.redis.get(keys.objective)) ?? '').untold).toMatchObject({ from: 0, to: 1 })
  })

  test('L6 a change that could not be told is told later, by whoever leads, under the same id', async () => {
    const world = new World()
    const tried: WebhookEvent[] = []
    const one = await node(world, {
      publish: async (event) => {
        tried.push(event)
        throw new Error('redis went away')
      },
    })
    world.spent = dollars(120)
    await expect(one.watch.evaluate()).rejects.toThrow('redis went away')
    expect(one.watch.step()).toBe(1)
    await one.watch[Symbol.asyncDispose]()
    const two = await node(world)
    await two.watch.evaluate()
    expect(world.events).toEqual(tried)
    expect(two.watch.step()).toBe(1)
  })
})
