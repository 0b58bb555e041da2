import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FairQueue } from '../../src/calls/fair-queue.ts'

test('Q7 tenants take turns, however many wait of each; each is served in order', () => {
  const pushes = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 100 })
  fc.assert(
    fc.property(pushes, (tenants) => {
      const queue = new FairQueue<{ tenant: string; n: number }>()
      for (const [n, tenant] of tenants.entries()) queue.push(tenant, { tenant, n })
      const left = new Map<string, number>()
      for (const tenant of tenants) left.set(tenant, (left.get(tenant) ?? 0) + 1)
      const taken: { tenant: string; n: number }[] = []
      for (let item = queue.take(); item !== undefined; item = queue.take()) {
        // Between two turns of one, everybody who waits has had one.
        const since = taken.slice(taken.findLastIndex(({ tenant }) => tenant === item.tenant) + 1)
        if (taken.some(({ tenant }) => tenant === item.tenant)) {
          for (const [tenant, count] of left)
            if (tenant !== item.tenant && count > 0) expect(since.some((other) => other.tenant === tenant)).toBe(true)
        }
        left.set(item.tenant, (left.get(item.tenant) ?? 0) - 1)
        taken.push(item)
      }
      expect(taken).toHaveLength(tenants.length)
      for (const tenant of 'abcd') {
        const own = taken.filter((item) => item.tenant === tenant).map(({ n }) => n)
        expect(own).toEqual([...own].sort((x, y) => x - y))
      }
      expect(queue.size).toBe(0)
    }),
  )
})

test('Q7 who leaves is not served', () => {
  const queue = new FairQueue<string>()
  queue.push('a', 'one')
  queue.push('a', 'two')
  queue.remove('a', 'one')
  queue.remove('a', 'one')
  expect([queue.size, queue.take(), queue.take()]).toEqual([1, 'two', undefined])
})
