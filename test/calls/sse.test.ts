import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sseData } from '../../src/calls/sse.ts'

async function read(bytes: Buffer, cuts: readonly number[]): Promise<string[]> {
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  async function* chunks() {
    for (let i = 1; i < edges.length; i++) yield bytes.subarray(edges[i - 1], edges[i])
  }
  const all: string[] = []
  for await (const data of sseData(chunks())) all.push(data)
  return all
}

test('the events of a stream are the same wherever its pieces are cut', async () => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ' '))
  const events = fc.array(line, { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      events,
      fc.constantFrom('\n', '\r\n'),
      fc.array(fc.nat(400), { maxLength: 6 }),
      async (all, end, at) => {
        const text = all.map((data) => `event: x${end}: a comment${end}data: ${data}${end}${end}`).join('')
        const bytes = Buffer.from(text)
        const cuts = at.filter((cut) => cut <= bytes.length)
        expect(await read(bytes, cuts)).toEqual(all)
      },
    ),
  )
})

test('an event of several lines is one, and the last needs no empty line', async () => {
  expect(await read(Buffer.from('data: a\ndata:b\n\ndata: end'), [])).toEqual(['a\nb', 'end'])
})

test('an event without an end is not waited for', async () => {
  await expect(read(Buffer.alloc(5 * 1_024 * 1_024, 'x'), [])).rejects.toThrow(RangeError)
})
