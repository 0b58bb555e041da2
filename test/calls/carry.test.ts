import { expect, test } from 'vitest'
import { transcriptionKey } from '../../src/calls/answer-key.ts'
import { promptOf, type TranscriptionCall } from '../../src/calls/media-provider.ts'
import { ms } from '../../src/units.ts'

const call: TranscriptionCall & { sha256: string } = {
  ...{ model: 'whisper-1', path: '/a.flac', mime: 'audio/flac', bytes: 1, duration: ms(1), sha256: 'a' },
  ...{ language: null, prompt: null, temperature: null, format: 'json', timestamps: [], logprobs: false },
}

test('Q3 a piece is heard with the caller’s prompt and with what was said right before it', () => {
  expect(promptOf(call)).toBeNull()
  expect(promptOf({ ...call, carry: 'and then he said' })).toBe('and then he said')
  expect(promptOf({ ...call, prompt: 'Names: Ada.', carry: 'and then he said' })).toBe('Names: Ada. and then he said')
})

test('Q6 what was said before changes nothing about what an answer is known by', () => {
  expect(transcriptionKey({ ...call, carry: 'by chance' })).toBe(transcriptionKey(call))
  expect(transcriptionKey({ ...call, prompt: 'Names: Ada.' })).not.toBe(transcriptionKey(call))
})
