import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sniffType } from '../../src/frames/sniff.ts'

const KNOWN = ['response.output_audio.delta', 'input_audio_buffer.append', 'response.done', 'session.update']

/** What a full parse says: the reference that the sniff must agree with on any legal JSON. */
function parsed(json: string): string | null {
  const value: unknown = JSON.parse(json)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const { type } = value as { type?: unknown }
  return typeof type === 'string' ? type : null
}

/** A string written with some of its characters as escapes, which means the same. */
const escaped = (text: string): fc.Arbitrary<string> =>
  fc.array(fc.boolean(), { minLength: text.length, maxLength: text.length }).map((flags) => {
    const body = [...text].flatMap((char, i) =>
      flags[i] === true && char.length === 1
        ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
        : JSON.stringify(char).slice(1, -1),
    )
    return `"${body.join('')}"`
  })

const space = fc.constantFrom('', ' ', '\n', '\t', '\r\n  ')
const typeValue = fc.oneof(
  fc.constantFrom(...KNOWN).map((type) => JSON.stringify(type)),
  fc.constantFrom(...KNOWN).chain(escaped),
  fc.string().map((text) => JSON.stringify(text)),
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
)
const key = fc.oneof(
  { weight: 3, arbitrary: fc.constant('"type"') },
  { weight: 1, arbitrary: escaped('type') },
  { weight: 4, arbitrary: fc.string().map((text) => JSON.stringify(text)) },
)
const trap = fc.constantFrom(
  '"\\"type\\":\\"x\\""',
  '{"type":"response.done"}',
  '[{"type":"response.done"},"\\\\"]',
  '"}{\\\\"',
  '"{\\"type\\": \\"response.done\\"}"',
  '""',
  '-1.5e+3',
  'null',
)
const value = fc.oneof(
  trap,
  typeValue,
  fc.jsonValue({ maxDepth: 3 }).map((v) => JSON.stringify(v)),
)

/** Any legal JSON object: every order of keys, spaces anywhere, escapes anywhere, keys given twice. */
const object = fc
  .tuple(fc.array(fc.tuple(key, value, space, space), { maxLength: 6 }), space, space)
  .map(([members, before, after]) => {
    const body = members.map(([k, v, s1, s2]) => `${s1}${k}${s2}:${s1}${v}${s2}`).join(',')
    return `${before}{${body}}${after}`
  })

describe('the type sniff', () => {
  test('W2 agrees with a full parse on any legal JSON a caller may send', () => {
    fc.assert(
      fc.property(object, (json) => {
        expect(sniffType(Buffer.from(json), false)).toBe(parsed(json))
      }),
      { numRuns: 5_000 },
    )
  })

  test('W2 agrees with a full parse on what a provider sends: each key once', () => {
    const once = fc
      .uniqueArray(fc.tuple(key, value, space), { selector: ([k]) => JSON.parse(k), maxLength: 6 })
      .map((members) => `{${members.map(([k, v, s]) => `${s}${k}${s}:${s}${v}`).join(',')}}`)
    fc.assert(
      fc.property(once, (json) => {
        expect(sniffType(Buffer.from(json))).toBe(parsed(json))
      }),
      { numRuns: 5_000 },
    )
  })

  test('W2 survives anything at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const type = sniffType(Buffer.from(bytes), false)
        expect(type === null || typeof type === 'string').toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })

  test.each([
    '',
    '{',
    '{}',
    '[]',
    '"type"',
    '{"type"',
    '{"type":',
    '{"type":"a',
    '{"type":1}',
    'null',
    '{"a":{"type":"x"}}',
  ])('W2 finds no type in %s', (json) => {
    expect(sniffType(Buffer.from(json), false)).toBeNull()
  })
})
