import { readFileSync } from 'node:fs'
import { type SpeechFixture, speech } from '../../fixtures/index.ts'
import { RATE, type Region } from '../../src/media/audio/samples.ts'

/** Speech fixtures are of this rate; here they are taken to 16 kHz. */
const FIXTURE_RATE = 24_000

/** A fixture as 16 kHz samples of -1 to 1, by straight lines between samples. */
function samplesOf(fixture: SpeechFixture): Float32Array {
  const bytes = readFileSync(fixture.file).subarray(44)
  const step = FIXTURE_RATE / RATE
  return Float32Array.from({ length: Math.floor(bytes.length / 2 / step) - 1 }, (_, i) => {
    const at = Math.floor(i * step)
    const share = i * step - at
    return ((1 - share) * bytes.readInt16LE(2 * at) + share * bytes.readInt16LE(2 * at + 2)) / 32_768
  })
}

/** Where a fixture is heard, first and last sample above the noise of 16 bits. */
function heardIn(samples: Float32Array): Region {
  const isHeard = (sample: number) => Math.abs(sample) > 0.01
  return { start: samples.findIndex(isHeard), end: samples.findLastIndex(isHeard) + 1 }
}

export interface SpokenScene {
  /** 16 kHz mono, 16 bit. */
  readonly pcm: Buffer
  /** Where each sentence is heard, samples. */
  readonly spoken: readonly Region[]
}

/**
 * The fixtures' two sentences by turns, with pauses of so many seconds before each and after the last, over white noise at
 * `noise` of full scale. The same samples for the same arguments.
 */
export function spokenScene(pauses: readonly number[], noise = 0): SpokenScene {
  const voices = [samplesOf(speech.order), samplesOf(speech.weather)]
  const parts: Float32Array[] = []
  const spoken: Region[] = []
  let at = 0
  for (const [i, pause] of pauses.entries()) {
    const silence = new Float32Array(Math.round(pause * RATE))
    parts.push(silence)
    at += silence.length
    if (i === pauses.length - 1) break
    const voice = voices[i % voices.length] as Float32Array
    const { start, end } = heardIn(voice)
    parts.push(voice)
    spoken.push({ start: at + start, end: at + end })
    at += voice.length
  }
  const pcm = Buffer.alloc(at * 2)
  let seed = 1
  let i = 0
  for (const part of parts) {
    for (const sample of part) {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
      const heard = sample + noise * (seed / 2 ** 31 - 1)
      pcm.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(heard * 32_767))), 2 * i++)
    }
  }
  return { pcm, spoken }
}
