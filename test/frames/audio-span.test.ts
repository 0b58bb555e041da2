import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { appendSpan, deltaSpan, itemIdOf } from '../../src/frames/audio-span.ts'

const base64 = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('base64'))

function spanned(json: string): { audio: string; audioBytes: number } | null {
  const bytes = Buffer.from(json)
  const span = appendSpan(bytes)
  return span === null ? null : { audio: bytes.toString('latin1', span.start, span.end), audioBytes: span.audioBytes }
}

describe('the audio of an append', () => {
  test('W2 length arithmetic says what decoding would', () => {
    fc.assert(
      fc.property(base64, (audio) => {
        const json = JSON.stringify({ type: 'input_audio_buffer.append', audio })
        expect(spanned(json)).toEqual({ audio, audioBytes: Buffer.from(audio, 'base64').length })
      }),
    )
  })

  test.each([
    ['python', '{"type": "input_audio_buffer.append", "audio": "QUJD"}'],
    ['id first', '{"event_id":"e1","type":"input_audio_buffer.append","audio":"QUJD"}'],
    ['id between', '{"type":"input_audio_buffer.append","event_id":"e1","audio":"QUJD"}'],
    ['id last', '{"type":"input_audio_buffer.append","audio":"QUJD","event_id":"e1"}'],
    ['audio first', '{"audio":"QUJD","type":"input_audio_buffer.append"}'],
    ['audio first with id', '{ "event_id": "e", "audio": "QUJD", "type": "input_audio_buffer.append" }'],
  ])('W2 is found as %s writes it', (_, json) => {
    expect(spanned(json)).toEqual({ audio: 'QUJD', audioBytes: 3 })
  })

  test.each([
    ['another type behind', '{"type":"input_audio_buffer.append","audio":"QUJD","type":"session.update"}'],
    ['more fields behind', '{"type":"input_audio_buffer.append","audio":"QUJD","session":{}}'],
    ['an escaped type behind', '{"type":"input_audio_buffer.append","audio":"QUJD","\\u0074ype":"session.update"}'],
    ['the audio twice', '{"type":"input_audio_buffer.append","audio":"QUJD","audio":"QUJD"}'],
    ['an unfinished frame', '{"type":"input_audio_buffer.append","audio":"QUJD'],
    ['another type', '{"type":"input_audio_buffer.commit"}'],
    ['no object', '["type","input_audio_buffer.append"]'],
  ])('W6 a frame with %s is left to the parser', (_, json) => {
    expect(spanned(json)).toBeNull()
  })

  test('W6 whatever is taken for an append is one to every parser', () => {
    const pieces = [
      '"type":"input_audio_buffer.append"',
      '"audio":"QUJD"',
      '"event_id":"e"',
      '"type":"session.update"',
      '"session":{"instructions":"x"}',
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 6 }), (members) => {
        const json = `{${members.join(',')}}`
        if (appendSpan(Buffer.from(json)) === null) return
        expect(JSON.parse(json).type).toBe('input_audio_buffer.append')
        expect(members.filter((m) => m.startsWith('"type"')).length).toBe(1)
      }),
      { numRuns: 2_000 },
    )
  })

  test('S3 a delta says how long it plays, and of which item', () => {
    const frame = Buffer.from(
      '{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"item_7","delta":"AAAAAAAA"}',
    )
    expect(deltaSpan(frame)?.audioBytes).toBe(6)
    expect(itemIdOf(frame)).toBe('item_7')
  })
})
