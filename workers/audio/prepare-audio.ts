import { FaultError } from '../../src/faults.ts'
import { cutPoints } from '../../src/media/audio/cut-points.ts'
import { keepAll, keepSpeech } from '../../src/media/audio/keep-speech.ts'
import { partRegions, planCuts } from '../../src/media/audio/plan-pieces.ts'
import { lengthOf, toMs, toSamples } from '../../src/media/audio/samples.ts'
import { formatOf, longestPiece } from '../../src/media/audio/upload-format.ts'
import type { PrepareAudio, PreparedAudio } from '../../src/media/prepared-audio.ts'
import { ms } from '../../src/units.ts'
import { collect } from '../tools/collect.ts'
import { probeSound, sniffFile } from '../tools/probe.ts'
import type { Task } from '../tools/task.ts'
import { decode } from './decode.ts'
import { type Detected, detectSpeech } from './detect-speech.ts'
import { encodePieces, type PlannedPiece } from './encode-pieces.ts'
import { longestSound } from './longest-sound.ts'

/** WebRTC's detector finds words later and leaves them earlier than the model does. */
const WEBRTC_PADDING = 300

export interface PrepareAudioInput {
  readonly path: string
  readonly into: string
  readonly options: PrepareAudio
}

/**
 * The task: a recording becomes the pieces worth sending. It is decoded twice, once to listen and once to encode what is
 * kept: decoding is cheap, and where to cut is known only at the end. Memory does not grow with its length.
 */
export const prepareAudio: Task<PrepareAudioInput, PreparedAudio> = async ({ path, into, options }, context) => {
  const { sniffed, sound, duration } = await probeSound(path, await sniffFile(path), context)
  if (sound === null) throw new FaultError('media_corrupt', 'The file holds no sound.')
  const longest = await longestSound(path, options.longest, context.longestAudioMs)
  // A header may lie both ways; it is believed only where that keeps work from being done.
  if (duration !== null && duration > longest) throw tooLong(longest)
  const blocks = () => decode(context, { path, demuxer: sniffed.demuxer }, longest)

  const whole = 2 * (duration ?? 0)
  const engine = options.trim ? options.engine : 'none'
  const detected = await detectSpeech(blocks(), engine, (samples) => context.progress(toMs(samples), whole))
  if (detected.total === 0) throw new FaultError('media_corrupt', 'The file holds no sound.')

  const planned = plan(detected, options)
  // What listening took is free again before encoding begins.
  collect('major')
  const listened = toMs(detected.total)
  const tell = (samples: number) => context.progress(listened + toMs(samples), 2 * listened)
  const pieces = planned.length === 0 ? [] : await encodePieces(context, blocks(), planned, into, tell)
  return {
    source: ms(listened),
    kept: ms(pieces.reduce((sum, piece) => sum + piece.duration, 0)),
    engine: detected.engine,
    channels: sound.channels,
    codec: sound.codec,
    pieces,
  }
}

function plan({ engine, runs, levels, total }: Detected, options: PrepareAudio): PlannedPiece[] {
  const padding = engine === 'webrtc' ? ms(Math.max(WEBRTC_PADDING, options.padding)) : options.padding
  const kept = engine === 'none' ? keepAll(total) : keepSpeech(runs, padding, options.minGap, total)
  const all = kept.regions.reduce((sum, region) => sum + lengthOf(region), 0)
  const longest = longestPiece(options.limits, options.format)
  const bounds = { longest, shortest: toSamples(options.limits.billedAtLeast) }
  return partRegions(kept.regions, planCuts(cutPoints(kept, levels, longest), all, bounds)).map((regions) => {
    const length = regions.reduce((sum, region) => sum + lengthOf(region), 0)
    return { regions, format: formatOf(length, options.limits, options.format) }
  })
}

const tooLong = (longest: number) =>
  new FaultError('media_too_long', `The recording is longer than the ${Math.round(longest / 1_000)} s that are taken.`)
