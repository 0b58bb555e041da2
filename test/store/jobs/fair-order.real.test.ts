import { afterAll, beforeAll, expect, test } from 'vitest'
import { FairOrder } from '../../../src/store/jobs/fair-order.ts'
import { ms } from '../../../src/units.ts'
import { TestStore } from '../../support/store.ts'

let own: TestStore
beforeAll(async () => {
  own = await TestStore.open()
})
afterAll(() => own[Symbol.asyncDispose]())

/** Work as it waits, and which of it is next. */
class Line {
  readonly order: FairOrder
  readonly waiting: { tenant: string; number: number; priority: number; at: number }[] = []
  #count = 0

  constructor(lane: string) {
    this.order = new FairOrder(own.store.redis, lane)
  }

  async add(tenant: string, weight = 1, cost = 1_000): Promise<void> {
    const { turns } = await this.order.number(tenant, `request-${++this.#count}`, ms(cost), weight)
    for (const { number, priority } of turns) this.waiting.push({ tenant, number, priority, at: this.#count })
  }

  async next(): Promise<string> {
    this.waiting.sort((a, b) => a.priority - b.priority || a.at - b.at)
    const first = this.waiting.shift()
    if (first === undefined) throw new Error('nothing waits')
    await this.order.take(first.number)
    return first.tenant
  }
}

test('Q7 a tenant with 1,500 jobs does not delay one with 20 by more than its fair share', async () => {
  const line = new Line('few')
  for (let i = 0; i < 1_500; i++) await line.add('many')
  for (let i = 0; i < 20; i++) await line.next()
  for (let i = 0; i < 20; i++) await line.add('few')
  const served: string[] = []
  for (let i = 0; i < 60; i++) served.push(await line.next())
  // One of each in turn, so the twenty are through after forty.
  expect(served.lastIndexOf('few')).toBeLessThanOrEqual(41)
  expect(served.slice(0, 40).filter((tenant) => tenant === 'many').length).toBeGreaterThanOrEqual(18)
})

test('Q7 shares go by weight and by the work that is expected, not by the number of jobs', async () => {
  const line = new Line('weights')
  for (let i = 0; i < 200; i++) {
    await line.add('heavy', 3)
    await line.add('light', 1)
    await line.add('long', 1, 4_000)
  }
  const served: string[] = []
  for (let i = 0; i < 170; i++) served.push(await line.next())
  const count = (name: string) => served.filter((tenant) => tenant === name).length
  expect(count('heavy') / count('light')).toBeCloseTo(3, 0)
  expect(count('light') / count('long')).toBeCloseTo(4, 0)
})

test('Q7 one that comes back after a while has saved up no claim on what others use', async () => {
  const line = new Line('idle')
  await line.add('early')
  await line.next()
  for (let i = 0; i < 100; i++) {
    await line.add('busy')
    await line.next()
  }
  for (let i = 0; i < 10; i++) await line.add('early')
  for (let i = 0; i < 10; i++) await line.add('busy')
  const served: string[] = []
  for (let i = 0; i < 10; i++) served.push(await line.next())
  expect(served.filter((tenant) => tenant === 'busy').length).toBeGreaterThanOrEqual(4)
})

test('Q7 asked again after a lost reply, the same numbers come back and the tenant is charged once', async () => {
  const order = new FairOrder(own.store.redis, 'lost')
  const first = await order.number('a', 'r1', ms(1_000), 1, 3)
  expect(await order.number('a', 'r1', ms(1_000), 1, 3)).toEqual(first)
  const next = await order.number('a', 'r2', ms(1_000), 1)
  expect(next.turns[0]?.number).toBe((first.turns[2]?.number ?? 0) + 1_000)
})

test('Q7 when priorities run out they count from the present again, and numbers stay', async () => {
  const order = new FairOrder(own.store.redis, 'far')
  const far = await order.number('a', 'r1', ms(400_000_000), 1)
  expect(far.isFar).toBe(true)
  await order.take(far.turns[0]?.number ?? 0)
  const base = await order.rebase(far.base)
  expect(base).toBe(String(far.turns[0]?.number))
  expect(await order.rebase(far.base), 'by the second who asks').toBe(base)
  const next = await order.number('b', 'r1', ms(250), 1)
  expect([next.isFar, next.turns[0]?.priority]).toEqual([false, 2])
})
