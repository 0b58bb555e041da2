import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noise, pcm, silence, speech } from '../../fixtures/index.ts'
import { systemClock } from '../../src/clock.ts'
import type { AudioFormat, VoiceDetector } from '../../src/voice/detector.ts'
import { IsolatedVoiceDetection } from '../../src/voice/voice-detection.ts'
import { silent } from '../support/parley.ts'

const PCM: AudioFormat = { encoding: 'pcm16', rate: 24_000 }

type Heard = { is: 'started' | 'stopped' | 'unheard' | 'heard again'; atMs: number }

/**
 * A detector that keeps what it was told, and wakes whoever waits for more. On a busy machine a verdict may come late, and is
 * then announced as unheard: `spoken` is what was heard all the same.
 */
function listening(voices: IsolatedVoiceDetection, silenceMs = 500, format = PCM) {
  const heard: Heard[] = []
  let wake = Promise.withResolvers<void>()
  const note = (is: Heard['is'], atMs: number) => {
    heard.push({ is, atMs })
    wake.resolve()
    wake = Promise.withResolvers<void>()
  }
  const detector = voices.detector(
    { format, silenceMs },
    {
      speechStarted: (at) => note('started', at),
      speechStopped: (at) => note('stopped', at),
      unheard: (is) => note(is ? 'unheard' : 'heard again', 0),
    },
  )
  const until = async (is: Heard['is'], count = 1) => {
    while (heard.filter((h) => h.is === is).length < count) await wake.promise
  }
  const spoken = () => heard.filter(({ is }) => is === 'started' || is === 'stopped')
  return { heard, spoken, detector, until }
}

function speak(detector: VoiceDetector, sound: Buffer, step = 1_920): void {
  for (let at = 0; at < sound.length; at += step) {
    detector.hearBase64(Buffer.from(sound.subarray(at, at + step).toString('base64')))
  }
}

describe("the broker's own ear", () => {
  let voices: IsolatedVoiceDetection
  beforeAll(async () => {
    voices = new IsolatedVoiceDetection(systemClock, silent)
    await voices.ready
  })
  afterAll(() => voices[Symbol.asyncDispose]())

  test('S3 hears where speech begins and where it ends', async () => {
    const { spoken, detector, until } = listening(voices)
    const order = pcm(speech.order)
    speak(detector, Buffer.concat([silence(1_000), order, silence(1_500)]))
    await until('stopped')
    const [start, stop] = spoken()
    expect(start?.is).toBe('started')
    expect(Math.abs((start?.atMs ?? 0) - 1_000)).toBeLessThan(200)
    expect(Math.abs((stop?.atMs ?? 0) - (1_000 + order.length / 48))).toBeLessThan(500)
    expect(spoken().length).toBe(2)
  })

  test.each(['white', 'brown', 'hum', 'clicks', 'room'] as const)(
    'S3 takes %s noise for no speech, at any level, and hears a voice in it',
    async (kind) => {
      for (const level of [0.01, 0.1, 0.3]) {
        const { spoken, detector, until } = listening(voices)
        speak(detector, noise(kind, 20_000, level))
        // The voice behind it shows that the noise has been heard out.
        speak(detector, Buffer.concat([silence(1_000), pcm(speech.order), silence(1_500)]))
        await until('stopped')
        expect(
          spoken().map((h) => h.is),
          String(level),
        ).toEqual(['started', 'stopped'])
        expect(spoken()[0]?.atMs).toBeGreaterThan(20_900)
      }
    },
  )

  test('S3 keeps every caller apart, in the order of its own audio', async () => {
    const callers = Array.from({ length: 20 }, (_, i) => ({ ...listening(voices), wait: i * 100 }))
    const sounds = callers.map(({ wait }) => Buffer.concat([silence(500 + wait), pcm(speech.weather), silence(1_500)]))
    for (let at = 0; sounds.some((sound) => at < sound.length); at += 1_920) {
      for (const [i, { detector }] of callers.entries()) {
        const piece = sounds[i]?.subarray(at, at + 1_920)
        if (piece !== undefined && piece.length > 0) detector.hearBase64(Buffer.from(piece.toString('base64')))
      }
    }
    for (const { until, spoken, wait } of callers) {
      await until('stopped')
      expect(Math.abs((spoken()[0]?.atMs ?? 0) - 500 - wait)).toBeLessThan(350)
    }
  })

  test('S3 when the detector dies nobody is taken to be silent, and it hears again', async () => {
    const { heard, spoken, detector, until } = listening(voices)
    speak(detector, Buffer.concat([silence(200), pcm(speech.weather)]))
    await until('started')
    await voices.crash()
    expect(spoken().map((h) => h.is)).toEqual(['started', 'stopped'])
    const before = heard.filter(({ is }) => is === 'heard again').length
    speak(detector, silence(100))
    expect(heard.filter((h) => !spoken().includes(h)).at(-1)?.is).toBe('unheard')
    await until('heard again', before + 1)
    speak(detector, Buffer.concat([silence(500), pcm(speech.weather), silence(1_500)]))
    await until('stopped', 2)
    expect(spoken().map((h) => h.is)).toEqual(['started', 'stopped', 'started', 'stopped'])
  })

  test('S6 more audio than it can deal with is skipped and said so, not kept', async () => {
    const { detector, until } = listening(voices)
    const before = voices.counters.droppedBytes
    const minute = Buffer.from(silence(60_000).toString('base64'))
    for (let i = 0; i < 10; i++) detector.hearBase64(minute)
    await until('unheard')
    await until('heard again')
    expect(voices.counters.droppedBytes - before).toBeGreaterThan(10_000_000)
  })
})
