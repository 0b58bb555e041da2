import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mergedIds } from '../../../src/store/jobs/merged-ids.ts'

test('V2 ids of many tenants come newest first, each once, whoever has how many', async () => {
  const owners = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(owners, fc.nat(60), async (tenants, from) => {
      const all = tenants.map((tenant, i) => ({ tenant, id: String(i).padStart(3, '0') })).reverse()
      const before = String(from).padStart(3, '0')
      const read = async (tenant: string, below: string, most: number) =>
        all
          .filter((each) => each.tenant === tenant && (below === '' || each.id < below))
          .slice(0, most)
          .map(({ id }) => id)
      const found = []
      for await (const each of mergedIds(['a', 'b', 'c', 'd'], before, read)) found.push(each)
      expect(found).toEqual(all.filter(({ id }) => id < before))
    }),
  )
})
