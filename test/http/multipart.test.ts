import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { boundaryOf, fieldText, formParts } from '../../src/http/multipart.ts'

async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(bytes: Uint8Array, boundary: string, size: number) {
  const found: { name: string; filename: string | null; type: string | null; text: string }[] = []
  for await (const part of formParts(chunks(bytes, size), boundary)) {
    const { name, filename, type } = part
    found.push({ name, filename, type, text: await fieldText(part) })
  }
  return found
}

async function formBytes(form: FormData): Promise<{ bytes: Buffer; boundary: string }> {
  const request = new Request('http://x', { method: 'POST', body: form })
  const boundary = boundaryOf(request.headers.get('content-type') ?? '') ?? ''
  return { bytes: Buffer.from(await request.arrayBuffer()), boundary }
}

describe('a form', () => {
  test('Q1 is read as the platform wrote it, wherever its chunks end', async () => {
    const texts = fc.array(fc.stringMatching(/^[-\r\n a-z"\\%]{0,40}$/), { maxLength: 5 })
    const file = fc.uint8Array({ maxLength: 200 })
    await fc.assert(
      fc.asyncProperty(texts, file, fc.integer({ min: 1, max: 90 }), async (values, content, size) => {
        const form = new FormData()
        for (const [i, value] of values.entries()) form.append(`field ${i}`, value)
        form.append('file', new Blob([content as Uint8Array<ArrayBuffer>], { type: 'audio/wav' }), 'a "b".wav')
        const { bytes, boundary } = await formBytes(form)
        const parts = await read(bytes, boundary, size)
        // A form has its own line ends.
        expect(parts.slice(0, -1).map((part) => part.text)).toEqual(
          values.map((value) => value.replace(/\r\n|\r|\n/g, '\r\n')),
        )
        expect(parts.at(-1)).toMatchObject({ name: 'file', filename: 'a "b".wav', type: 'audio/wav' })
        expect(parts.at(-1)?.text).toBe(Buffer.from(content).toString('utf8'))
      }),
      { numRuns: 200 },
    )
  })

  test('Q1 a part that nobody reads is left out', async () => {
    const form = new FormData()
    form.append('a', 'x'.repeat(1_000))
    form.append('b', 'y')
    const { bytes, boundary } = await formBytes(form)
    const names: string[] = []
    for await (const { name } of formParts(chunks(bytes, 10), boundary)) names.push(name)
    expect(names).toEqual(['a', 'b'])
  })

  const head = 'Content-Disposition: form-data; name="a"'
  test.each([
    ['', 'ends too soon'],
    ['--b', 'ends too soon'],
    [`--b\r\n${head}\r\n\r\nx`, 'ends too soon'],
    [`--b\r\n${head}\r\n\r\nx\r\n--b`, 'ends too soon'],
    ['--b\r\nContent-Type: x\r\n\r\nx\r\n--b--', 'no name'],
    [`--b\r\n${'x'.repeat(9_000)}\r\n\r\nx\r\n--b--`, 'too long'],
    [`--b\r\n${head}\r\n\r\n${'x'.repeat(70_000)}\r\n--b--`, 'too long'],
    [`${`--b\r\n${head}\r\n\r\nx\r\n`.repeat(65)}--b--`, 'more than 64'],
  ])('Q1 %.60j is none', async (text, why) => {
    await expect(read(Buffer.from(text), 'b', 1_000)).rejects.toThrow(why)
  })

  test('Q1 its boundary stands in the header', () => {
    expect(boundaryOf('multipart/form-data; boundary=abc; charset=x')).toBe('abc')
    expect(boundaryOf('Multipart/Form-Data; boundary="a b"')).toBe('a b')
    expect(boundaryOf('audio/wav')).toBe(null)
    expect(() => boundaryOf('multipart/form-data')).toThrow('no boundary')
  })
})
