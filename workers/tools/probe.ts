import { open } from 'node:fs/promises'
import { FaultError } from '../../src/faults.ts'
import type { Probed } from '../../src/media/media-tools.ts'
import { bytes, type Ms, ms } from '../../src/units.ts'
import { probeArguments } from './ffmpeg-command.ts'
import { FfmpegProcess } from './ffmpeg-process.ts'
import { SNIFF_BYTES, type Sniffed, sniff, tagLength } from './sniff.ts'
import type { Task, TaskContext } from './task.ts'

/** A recording outside of these is a mistake or an attack. */
const MOST_CHANNELS = 32
const RATES = { least: 4_000, most: 384_000 }
const LIMITS = { wall: ms(15_000), memory: bytes(384 * 1_024 * 1_024), output: 0 }

/** What a sound file or a video was found to hold. */
export interface ProbedSound {
  readonly sniffed: Sniffed & { readonly demuxer: string }
  readonly isVideo: boolean
  readonly size: { readonly width: number; readonly height: number } | null
  /** As its header says: a hint only. Null where it says nothing. */
  readonly duration: Ms | null
  /** The first sound track; null for a video without one. */
  readonly sound: { readonly codec: string; readonly channels: number; readonly rate: number } | null
}

/** What a file's own first bytes say. Throws `media_corrupt` for an empty file, `unsupported_media` for one that is not taken. */
export async function sniffFile(path: string): Promise<Sniffed> {
  await using file = await open(path, 'r')
  const at = async (position: number) => {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(SNIFF_BYTES), 0, SNIFF_BYTES, position)
    return buffer.subarray(0, bytesRead)
  }
  const head = await at(0)
  if (head.length === 0) throw new FaultError('media_corrupt', 'The file is empty.')
  const tag = tagLength(head)
  const found = sniff(tag === 0 ? head : await at(tag))
  if (found === null) throw new FaultError('unsupported_media', 'The file is none of the kinds that are taken.')
  return found
}

/** Opens a sound file or a video and says what is in it, within limits. */
export async function probeSound(path: string, sniffed: Sniffed, context: TaskContext): Promise<ProbedSound> {
  const { demuxer } = sniffed
  if (demuxer === null) throw new FaultError('unsupported_media', 'The file is a picture.')
  await using ffmpeg = new FfmpegProcess(context, probeArguments({ path, demuxer }), LIMITS)
  const { words } = await ffmpeg.end()
  if (!/^Input #0/m.test(words)) throw new FaultError('media_corrupt', 'The file cannot be opened.')
  const video = /^ {2,4}Stream #0:\d+.*?: Video: (?!.*\(attached pic\)).*?, (\d{1,5})x(\d{1,5})[ ,]/m.exec(words)
  const sound = soundOf(words)
  if (sound === null && video === null) throw new FaultError('media_corrupt', 'The file holds no sound.')
  return {
    sniffed: { ...sniffed, demuxer },
    isVideo: video !== null,
    size: video === null ? null : { width: Number(video[1]), height: Number(video[2]) },
    duration: durationOf(words),
    sound,
  }
}

/** The first sound track, held to limits. */
function soundOf(words: string): ProbedSound['sound'] {
  const found = /^ {2,4}Stream #0:\d+.*?: Audio: (\w+).*?, (\d+) Hz, (.*?)(?:,|$)/m.exec(words)
  if (found === null) {
    if (/^ {2,4}Stream #0:\d+.*?: Audio: /m.test(words)) {
      throw new FaultError('media_corrupt', 'The sound track cannot be decoded.')
    }
    return null
  }
  const [, codec = '', rateText = '', layout = ''] = found
  const rate = Number(rateText)
  const channels = channelsOf(layout.trim())
  if (rate < RATES.least || rate > RATES.most) {
    throw new FaultError('media_corrupt', `A sound track of ${rate} samples a second is not taken.`)
  }
  if (channels < 1 || channels > MOST_CHANNELS) {
    throw new FaultError('media_corrupt', `A sound track of ${channels} channels is not taken.`)
  }
  return { codec, channels, rate }
}

/** ffmpeg names layouts in place of counting channels: `stereo`, `5.1(side)`, `7.1`, `12 channels`. */
function channelsOf(layout: string): number {
  const counted = /^(\d+) channels?/.exec(layout)
  if (counted !== null) return Number(counted[1])
  if (layout.startsWith('mono')) return 1
  if (layout.startsWith('stereo') || layout.startsWith('downmix')) return 2
  const dotted = /^(\d+)\.(\d+)/.exec(layout)
  if (dotted !== null) return Number(dotted[1]) + Number(dotted[2])
  return NAMED_LAYOUTS[layout.replace(/\(.*$/, '')] ?? 2
}
const NAMED_LAYOUTS: Readonly<Record<string, number>> = { quad: 4, hexagonal: 6, octagonal: 8, hexadecagonal: 16 }

function durationOf(words: string): Ms | null {
  const found = /^ {2}Duration: (\d+):(\d{2}):(\d{2}\.\d+)/m.exec(words)
  if (found === null) return null
  return ms(Math.round((Number(found[1]) * 3_600 + Number(found[2]) * 60 + Number(found[3])) * 1_000))
}

/** The task: what a file is, from its own bytes. */
export const probe: Task<{ path: string }, Probed> = async ({ path }, context) => {
  const sniffed = await sniffFile(path)
  const { format, mime } = sniffed
  if (sniffed.kind === 'image') {
    // Only where there is a picture: the library for them takes a while to load.
    const { readHeader } = await import('../pictures/header.ts')
    const { size, pages } = await readHeader(path, context.mostPixels)
    return { kind: 'image', format, mime, duration: null, channels: null, ...size, pages }
  }
  const found = await probeSound(path, sniffed, context)
  const isVideo = sniffed.kind === 'container' && found.isVideo
  return {
    kind: isVideo ? 'video' : 'audio',
    format,
    mime: isVideo ? mime.replace('audio/', 'video/') : mime.replace('video/', 'audio/'),
    duration: found.duration,
    channels: found.sound?.channels ?? null,
    width: isVideo ? (found.size?.width ?? null) : null,
    height: isVideo ? (found.size?.height ?? null) : null,
    pages: null,
  }
}
