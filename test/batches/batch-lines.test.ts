import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LONGEST_LINE, rawLines, readLine } from '../../src/batches/batch-lines.ts'

async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(text: string, size: number, from = { line: 1, offset: 0 }) {
  const found: { number: number; text: string | null; next: { line: number; offset: number } }[] = []
  for await (const { number, bytes, next } of rawLines(chunks(Buffer.from(text).subarray(from.offset), size), from)) {
    found.push({ number, text: bytes?.toString() ?? null, next })
  }
  return found
}

const line = (body: object, changes: object = {}) =>
  readLine({
    number: 7,
    bytes: Buffer.from(JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/jobs', body, ...changes })),
    next: { line: 8, offset: 0 },
  })
const good = { type: 'audio.transcribe', input: { data: 'AAAA' } }

describe('lines of a batch', () => {
  test('Q1 come as they lie there, wherever chunks end, and the rest of them from every place', async () => {
    const texts = fc.array(fc.stringMatching(/^[ a-zé]{0,12}$/), { maxLength: 12 })
    const end = fc.constantFrom('', '\n')
    await fc.assert(
      fc.asyncProperty(texts, end, fc.integer({ min: 1, max: 30 }), async (lines, last, size) => {
        const text = lines.join('\n') + last
        const expected = text.split('\n').flatMap((each, i) => (each.trim() === '' ? [] : [[i + 1, each]]))
        const all = await read(text, size)
        expect(all.map(({ number, text }) => [number, text])).toEqual(expected)
        for (const [i, { next }] of all.entries()) expect(await read(text, size, next)).toEqual(all.slice(i + 1))
      }),
    )
  })

  test('Q1 that are too long are named, and nothing of them is kept', async () => {
    const all = await read(`a\n${'x'.repeat(LONGEST_LINE + 1)}\n${'y'.repeat(LONGEST_LINE)}\nb`, 10_000)
    expect(all.map(({ number, text }) => [number, text?.length ?? null])).toEqual([
      [1, 1],
      [2, null],
      [3, LONGEST_LINE],
      [4, 1],
    ])
  })

  test('Q1 say everything that is wrong with them', () => {
    expect(line(good)).toMatchObject({ customId: 'a', request: { type: 'audio.transcribe' } })
    const bad = { ...good, options: { temperature: 7 }, colour: 1 }
    expect(line(bad, { method: 'GET', extra: 1 })).toEqual([
      { line: 7, code: 'invalid_value', message: expect.any(String), param: '/method' },
      { line: 7, code: 'too_big', message: expect.any(String), param: '/body/options/temperature' },
      { line: 7, code: 'unknown_field', message: expect.any(String), param: '/body/colour' },
      { line: 7, code: 'unknown_field', message: expect.any(String), param: '/extra' },
    ])
    expect(line({ ...good, dry_run: true })).toMatchObject([{ code: 'not_supported', param: '/body/dry_run' }])
    for (const bytes of [Buffer.from('{'), Buffer.from([0x22, 0xff, 0x22]), null]) {
      expect(readLine({ number: 1, bytes, next: { line: 2, offset: 0 } })).toMatchObject([{ line: 1 }])
    }
  })
})
