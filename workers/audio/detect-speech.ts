import { LEVEL_HOP, LevelProfile } from '../../src/media/audio/level-profile.ts'
import type { Region } from '../../src/media/audio/samples.ts'
import { SILERO_HYSTERESIS, SpeechRuns, WEBRTC_HYSTERESIS } from '../../src/media/audio/speech-runs.ts'
import { collect } from '../tools/collect.ts'
import { CHUNK, Silero } from './silero.ts'
import { stretches } from './stretches.ts'
import { FRAME, voicedCells, webrtcVoices } from './webrtc-gate.ts'
import { type Window, windows } from './windows.ts'

/** What was heard in a recording. */
export interface Detected {
  readonly engine: 'silero' | 'webrtc' | 'none'
  /** Runs of speech, samples. */
  readonly runs: readonly Region[]
  readonly levels: LevelProfile
  /** Length of the recording, samples. */
  readonly total: number
}

/** Loaded once for each process; null where it cannot run. */
let model: Promise<Silero | null> | null = null

/**
 * Listens to a recording as it comes. `wanted`: `auto` and `silero` take the model where it can run, else WebRTC's detector;
 * `none` takes the levels alone. `heard` is told the samples so far.
 */
export async function detectSpeech(
  blocks: AsyncIterable<Int16Array>,
  wanted: 'auto' | 'silero' | 'webrtc' | 'none',
  heard: (samples: number) => void,
): Promise<Detected> {
  const silero = wanted === 'auto' || wanted === 'silero' ? await loaded() : null
  const engine = wanted === 'none' ? 'none' : silero === null ? 'webrtc' : 'silero'
  const runs = new SpeechRuns(engine === 'silero' ? SILERO_HYSTERESIS : WEBRTC_HYSTERESIS)
  const levels = new LevelProfile()
  let total = 0
  for await (const window of windows(blocks)) {
    measure(window, levels)
    if (engine !== 'none') await listen(window, silero, runs)
    total = window.start + window.length
    collect('major')
    heard(total)
  }
  return { engine, runs: runs.finish(total), levels, total }
}

async function listen(window: Window, silero: Silero | null, runs: SpeechRuns): Promise<void> {
  const voices = await webrtcVoices(window)
  if (silero === null) {
    for (const voice of voices) runs.hear(voice, FRAME)
    return
  }
  const pieces = stretches(voicedCells(voices, window.length))
  for (const probability of await silero.probabilities(window, pieces)) runs.hear(probability, CHUNK)
}

function loaded(): Promise<Silero | null> {
  model ??= Silero.load().catch(() => null)
  return model
}

function measure({ samples, lead, length }: Window, levels: LevelProfile): void {
  for (let at = lead; at < lead + length; at += LEVEL_HOP) {
    let sum = 0
    for (let i = at; i < at + LEVEL_HOP; i++) sum += (samples[i] as number) ** 2
    levels.push(sum / LEVEL_HOP)
  }
}
