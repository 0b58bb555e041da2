import { expect, test } from 'vitest'
import { renderTranscript } from '../../../src/media/audio/render-transcript.ts'
import type { Transcript } from '../../../src/media/transcript.ts'
import { ms } from '../../../src/units.ts'

const transcript: Transcript = {
  text: 'Good morning. Good --> bye.',
  language: 'en',
  duration: ms(3_725_500),
  segments: [
    { start: ms(1_250), end: ms(2_000), text: ' Good morning.', speaker: 'A', avgLogprob: -0.2, noSpeechProb: 0.1 },
    {
      start: ms(3_723_004.6),
      end: ms(3_725_000),
      text: 'Good --> \n\n bye.',
      speaker: null,
      avgLogprob: null,
      noSpeechProb: null,
    },
  ],
  words: [{ word: 'Good', start: ms(1_250), end: ms(1_500) }],
  incomplete: false,
}

test('Q3 json and text', () => {
  expect(renderTranscript(transcript, 'json')).toEqual({ kind: 'json', json: { text: transcript.text } })
  const usage = { type: 'duration', seconds: 9 } as const
  expect(renderTranscript(transcript, 'json', { usage })).toMatchObject({ json: { text: transcript.text, usage } })
  expect(renderTranscript(transcript, 'text')).toMatchObject({ text: `${transcript.text}\n` })
})

test('Q3 verbose_json, with the time stamps that were asked for', () => {
  expect(renderTranscript(transcript, 'verbose_json')).toMatchObject({
    json: {
      task: 'transcribe',
      language: 'english',
      duration: 3_725.5,
      segments: [
        {
          id: 0,
          seek: 125,
          start: 1.25,
          end: 2,
          text: ' Good morning.',
          tokens: [],
          avg_logprob: -0.2,
          no_speech_prob: 0.1,
        },
        { id: 1, start: 3_723.005, end: 3_725 },
      ],
    },
  })
  const { json } = renderTranscript(transcript, 'verbose_json', { timestamps: ['word'] }) as { json: object }
  expect(json).toHaveProperty('words', [{ word: 'Good', start: 1.25, end: 1.5 }])
  expect(json).not.toHaveProperty('segments')
})

test('Q3 diarized_json', () => {
  expect(renderTranscript(transcript, 'diarized_json')).toMatchObject({
    json: {
      task: 'transcribe',
      duration: 3_725.5,
      segments: [
        { type: 'transcript.text.segment', id: 'seg_0', start: 1.25, end: 2, speaker: 'A' },
        { id: 'seg_1', speaker: 'A' },
      ],
    },
  })
})

test('Q3 srt', () => {
  expect(renderTranscript(transcript, 'srt')).toMatchObject({
    text: '1\n00:00:01,250 --> 00:00:02,000\nGood morning.\n\n2\n01:02:03,005 --> 01:02:05,000\nGood -->\nbye.\n\n',
  })
})

test('Q3 vtt, in which no text can pass for a time line', () => {
  expect(renderTranscript(transcript, 'vtt')).toMatchObject({
    text: 'WEBVTT\n\n00:00:01.250 --> 00:00:02.000\nGood morning.\n\n01:02:03.005 --> 01:02:05.000\nGood →\nbye.\n\n',
  })
})
