import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import VAD from 'node-vad'
import type { PrepareAudio } from '../../src/media/prepared-audio.ts'
import { ms } from '../../src/units.ts'
import { decode } from '../../workers/audio/decode.ts'
import { prepareAudio } from '../../workers/audio/prepare-audio.ts'
import { findFfmpeg } from '../../workers/tools/find-ffmpeg.ts'
import { findProgram } from '../../workers/tools/find-program.ts'
import type { TaskContext } from '../../workers/tools/task.ts'
import type { Stretch } from './labels.ts'

/** Ways to find out what to keep of a recording. */
export type ListenerName =
  | 'parley'
  | 'parley webrtc'
  | 'node-vad 0'
  | 'node-vad 3'
  | 'silence -40 dB'
  | 'silence -30 dB'

/** What is kept, in seconds, and where a new piece begins inside of it. */
export interface Judged {
  readonly kept: readonly Stretch[]
  readonly cuts: readonly number[]
  readonly seconds: number
}

const DAY_MS = 86_400_000
const RATE = 16_000
/** Padding that everybody uses for detectors of their own, seconds. */
const PADDING = 0.2

/** Listens as `name` does. `pieceSeconds`: the limit of a piece, for those who cut. */
export async function listen(name: ListenerName, file: string, pieceSeconds: number): Promise<Judged> {
  const path = process.env.PATH
  const ffmpeg = await findFfmpeg(process.env.FFMPEG_PATH, path, { warn: () => undefined })
  const context: TaskContext = {
    ffmpeg: ffmpeg.file,
    prlimit: findProgram('prlimit', path),
    longestAudioMs: DAY_MS,
    mostPixels: 1,
    progress: () => undefined,
  }
  switch (name) {
    case 'parley':
      return parley(context, file, pieceSeconds, 'auto')
    case 'parley webrtc':
      return parley(context, file, pieceSeconds, 'webrtc')
    case 'node-vad 0':
      return nodeVad(context, file, VAD.Mode.NORMAL)
    case 'node-vad 3':
      return nodeVad(context, file, VAD.Mode.VERY_AGGRESSIVE)
    case 'silence -40 dB':
      return silence(context, file, -40)
    case 'silence -30 dB':
      return silence(context, file, -30)
  }
}

async function parley(
  context: TaskContext,
  file: string,
  pieceSeconds: number,
  engine: 'auto' | 'webrtc',
): Promise<Judged> {
  const into = mkdtempSync(join(tmpdir(), 'parley-bench-'))
  const options: PrepareAudio = {
    trim: true,
    minGap: ms(300),
    padding: ms(250),
    engine,
    format: 'auto',
    limits: { duration: ms(pieceSeconds * 1_000), bytes: 24_000_000, billedAtLeast: ms(0) },
    longest: ms(DAY_MS),
  }
  const prepared = await prepareAudio({ path: file, into, options }, context)
  rmSync(into, { recursive: true })
  const kept: { start: number; end: number }[] = []
  const cuts: number[] = []
  for (const { map } of prepared.pieces) {
    for (const [i, { source, length }] of map.entries()) {
      const start = source / RATE
      const last = kept.at(-1)
      if (last === undefined || last.end < start) kept.push({ start, end: start + length / RATE })
      else {
        last.end = start + length / RATE
        if (i === 0) cuts.push(start)
      }
    }
  }
  return { kept, cuts, seconds: prepared.source / 1_000 }
}

/** The detector alone, 30 ms at a time, one after the other, as its README shows it. */
async function nodeVad(context: TaskContext, file: string, mode: number): Promise<Judged> {
  const vad = new VAD(mode)
  const frame = new Float32Array(480)
  const bytes = Buffer.from(frame.buffer)
  const kept: { start: number; end: number }[] = []
  let filled = 0
  let at = 0
  for await (const block of decode(context, { path: file, demuxer: demuxerOf(file) }, DAY_MS)) {
    for (const sample of block) {
      frame[filled++] = sample / 32_768
      if (filled < frame.length) continue
      filled = 0
      if ((await vad.processAudioFloat(bytes, RATE)) === VAD.Event.VOICE) {
        keep(kept, at - PADDING, at + frame.length / RATE + PADDING)
      }
      at += frame.length / RATE
    }
  }
  return { kept, cuts: [], seconds: at }
}

/** What ffmpeg's silenceremove would go by, told by its sibling silencedetect, with the same padding. */
async function silence(context: TaskContext, file: string, level: number): Promise<Judged> {
  const filter = `silencedetect=n=${level}dB:d=${0.3 + 2 * PADDING}`
  const args = ['-nostdin', '-hide_banner', '-threads', '1', '-i', file, '-af', filter, '-f', 'null', '-']
  const child = spawn(context.ffmpeg, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let words = ''
  for await (const text of child.stderr.setEncoding('utf8')) words += text
  const [, h = 0, m = 0, s = 0] = (/Duration: (\d+):(\d+):([\d.]+)/.exec(words) ?? []).map(Number)
  const seconds = h * 3_600 + m * 60 + s
  const starts = [...words.matchAll(/silence_start: (-?[\d.]+)/g)].map((found) => Number(found[1]))
  const ends = [...words.matchAll(/silence_end: ([\d.]+)/g)].map((found) => Number(found[1]))
  const kept: { start: number; end: number }[] = []
  let from = 0
  for (const [i, start] of [...starts, seconds].entries()) {
    if (start > from) keep(kept, from - PADDING, start + PADDING)
    from = ends[i] ?? seconds
  }
  return { kept, cuts: [], seconds }
}

function keep(kept: { start: number; end: number }[], start: number, end: number): void {
  const last = kept.at(-1)
  if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end)
  else kept.push({ start: Math.max(0, start), end })
}

const demuxerOf = (file: string) => (file.endsWith('.mp3') ? 'mp3' : 'wav')

/** Processor time of this process and of all it has started and seen end, user and system, seconds (Linux). */
function processorSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((all, ticks) => all + Number(ticks), 0) / 100
}

/** Run by itself (measure.ts): listens once, tells what was kept and what it took. */
if (process.send !== undefined) {
  process.once(
    'message',
    async ({ name, file, pieceSeconds }: { name: ListenerName; file: string; pieceSeconds: number }) => {
      const before = processorSeconds()
      const judged = await listen(name, file, pieceSeconds)
      process.send?.({ judged, cpuSeconds: processorSeconds() - before }, () => process.exit(0))
    },
  )
}
