import { describe, expect, test } from 'vitest'
import { fromBeta } from '../../src/http/beta-session.ts'

describe('a beta session object in GA terms', () => {
  test.each([
    [{ modalities: ['text', 'audio'] }, { output_modalities: ['audio'] }],
    [{ modalities: ['text'] }, { output_modalities: ['text'] }],
    [{ max_response_output_tokens: 'inf' }, { max_output_tokens: 'inf' }],
    [{ input_audio_format: 'pcm16' }, { audio: { input: { format: { type: 'audio/pcm', rate: 24_000 } } } }],
    [
      { output_audio_format: 'g711_alaw', voice: 'ash', speed: 1.2 },
      { audio: { output: { format: { type: 'audio/pcma' }, voice: 'ash', speed: 1.2 } } },
    ],
    [
      { turn_detection: null, input_audio_noise_reduction: { type: 'near_field' } },
      { audio: { input: { turn_detection: null, noise_reduction: { type: 'near_field' } } } },
    ],
    [{ temperature: 0.8, nonsense: 1 }, {}],
  ])('W3 %j', (beta, ga) => {
    expect(fromBeta('realtime', beta)).toEqual({ type: 'realtime', ...ga })
  })

  test('W3 a transcription session has no output side', () => {
    const beta = { modalities: ['text'], voice: 'ash', input_audio_transcription: { model: 'm' }, include: ['x'] }
    expect(fromBeta('transcription', beta)).toEqual({
      type: 'transcription',
      include: ['x'],
      audio: { input: { transcription: { model: 'm' } } },
    })
  })
})
