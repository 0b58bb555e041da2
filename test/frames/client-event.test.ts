import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseClientEvent } from '../../src/frames/client-event.ts'

const parse = (json: string) => parseClientEvent(Buffer.from(json))

describe('events of a caller', () => {
  test('W6 whatever JSON.stringify writes is understood', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (extra) => {
        const json = JSON.stringify({ ...extra, type: 'x', event_id: 'e' })
        if (json.includes('__proto__')) return
        expect(parse(json)).toMatchObject({ ok: true, type: 'x', eventId: 'e' })
      }),
    )
  })

  test.each([
    ['no JSON', '{"type":', 'invalid_json'],
    ['a list', '[1]', 'invalid_event'],
    ['no type', '{"a":1}', 'invalid_event'],
    ['a type that is no string', '{"type":5}', 'invalid_event'],
    ['a key twice', '{"type":"a","type":"b"}', 'invalid_event'],
    ['a key twice, once escaped', '{"type":"a","\\u0074ype":"b"}', 'invalid_event'],
    ['a key twice, deep down', '{"type":"a","x":[{"y":1,"y":2}]}', 'invalid_event'],
    ['__proto__', '{"type":"a","__proto__":{}}', 'invalid_event'],
    ['25 levels', `{"type":"a","x":${'['.repeat(25)}${']'.repeat(25)}}`, 'invalid_event'],
  ])('W6 %s is refused', (_, json, code) => {
    expect(parse(json)).toMatchObject({ ok: false, code })
  })

  test("W4 a refusal names the event's own id where it can be read", () => {
    expect(parse('{"event_id":"mine","x":1}')).toMatchObject({ ok: false, eventId: 'mine' })
  })

  test('W6 brackets and keys inside strings do not count', () => {
    const text = '{"type":"a"}'.repeat(30).replaceAll('"', '\\"')
    expect(parse(`{"type":"a","x":"${text}"}`)).toMatchObject({ ok: true })
  })
})
