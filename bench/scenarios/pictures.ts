import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { FaultError } from '../../src/faults.ts'
import { bytes } from '../../src/units.ts'
import { FFMPEGS, taskContext } from '../../test/support/ffmpeg.ts'
import { ENVIRONMENT, nodeFlags } from '../../workers/tools/pool-process-settings.ts'
import { distinctFrames } from '../../workers/video/distinct-frames.ts'
import { colourChange, HEIGHT, type Signals, signalsOf, WIDTH } from '../../workers/video/frame-signals.ts'
import { drawGallery } from '../pictures/draw.ts'
import { filmTalk } from '../pictures/film.ts'
import { type Exhibit, gallery } from '../pictures/gallery.ts'
import { Reader } from '../pictures/reader.ts'
import { fit1024, isTaken, make, RULES, type Rule } from '../pictures/workshop.ts'
import { fixed, type Report } from '../report.ts'
import type { Scenario, Stage } from '../stage.ts'

/** Runs with the pictures of the folders given, or with a set drawn for it. */
async function withGallery(stage: Stage, run: (exhibits: Exhibit[], from: string) => Promise<Report>): Promise<Report> {
  const { pictures } = stage.settings
  if (pictures !== null) return run(gallery(pictures), pictures.length === 1 ? 'the folder given' : 'the folders given')
  const folder = mkdtempSync(join(tmpdir(), 'parley-gallery-'))
  try {
    await drawGallery(folder, 7)
    return await run(gallery([folder]), 'a set drawn for this run (--pictures for others)')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Tokens, bytes, orientation and metadata. */
const tokens: Scenario = (stage) =>
  withGallery(stage, async (exhibits, from) => {
    const rows: string[][] = []
    const bars: Report['bars'][number][] = []
    const refused = new Set<string>()
    let marked = 0
    for (const rule of RULES) {
      const sum = { original: 0, fitted: 0, sent: 0, bytesIn: 0, bytesOut: 0 }
      for (const { path, name } of exhibits) {
        try {
          const { result, files } = await make(path, rule)
          if (isTaken(result, rule.target)) sum.original += result.original.tokens
          else continue
          sum.fitted += fit1024(result, rule.target)
          sum.sent += result.tokens
          sum.bytesIn += result.original.bytes
          sum.bytesOut += result.pictures.reduce((all, { bytes }) => all + bytes, 0)
          for (const file of files) marked += Number(await isMarked(file))
        } catch (error) {
          if (!(error instanceof FaultError)) throw error
          refused.add(`${name} (${error.code})`)
        }
      }
      const left = (sum.sent / sum.original) * 100
      rows.push([
        rule.name,
        String(sum.original),
        saved(sum.fitted / sum.original),
        String(sum.sent),
        saved(sum.sent / sum.original),
        saved(sum.bytesOut / sum.bytesIn),
      ])
      bars.push({ name: `tokens left, ${rule.name}`, figure: left, most: rule.most, unit: '%' })
      if (rule === RULES[0]) {
        const bytes = (sum.bytesOut / sum.bytesIn) * 100
        bars.push({ name: 'bytes left', figure: bytes, most: 10, unit: '%' })
      }
    }
    bars.push({ name: 'files sent with an orientation, a place or a profile', figure: marked, most: 0, unit: 'files' })
    return {
      title: 'Pictures: what is saved',
      notes: [
        `${exhibits.length} pictures: ${from}`,
        ...(refused.size > 0 ? [`refused: ${[...refused].join(', ')}`] : []),
      ],
      columns: ['rule', 'original', 'fit 1024 saves', 'sent', 'saved', 'bytes saved'],
      rows,
      bars,
    }
  })

const saved = (left: number): string => `${fixed((1 - left) * 100, 1)} %`

async function isMarked(file: Buffer): Promise<boolean> {
  const { orientation, exif, xmp, icc } = await sharp(file).metadata()
  return [orientation, exif, xmp, icc].some((mark) => mark !== undefined)
}

/** Words that can still be read. */
const text: Scenario = (stage) =>
  withGallery(stage, async (exhibits, from) => {
    await using reader = await Reader.open()
    const written = exhibits.filter(({ text }) => text !== null)
    const chosen = stage.settings.isQuick ? written.filter((_, i) => i % 4 === 0) : written
    const rows: string[][] = []
    const bars: Report['bars'][number][] = []
    const before = await Promise.all(
      chosen.map(async ({ path, text }) => reader.recall([readFileSync(path)], text as string)),
    )
    for (const rule of [RULES[0] as Rule, RULES[3] as Rule]) {
      const after: number[] = []
      for (const { path, text } of chosen)
        after.push(await reader.recall((await make(path, rule)).files, text as string))
      const losses = after.map((recall, i) => (before[i] as number) - recall)
      const losing = losses.filter((loss) => loss > 0.03).length
      const drop = mean(before) - mean(after)
      const worst = Math.max(...losses)
      rows.push([
        rule.name,
        percent(mean(before)),
        percent(mean(after)),
        String(losing),
        chosen[losses.indexOf(worst)]?.name ?? '',
        percent(worst),
      ])
      if (rule === RULES[0]) {
        bars.push({ name: 'drop of word recall', figure: drop * 100, most: 0.5, unit: 'points' })
        bars.push({
          name: 'texts of 35 that lose over 3 %',
          figure: (losing / chosen.length) * 35,
          most: 3,
          unit: 'texts',
        })
      }
    }
    return {
      title: 'Pictures: what can still be read',
      notes: [
        `${chosen.length} pictures whose text is known: ${from}`,
        'The better of two readings by tesseract.js, as sent and three times as large.',
      ],
      columns: ['rule', 'original', 'sent', 'lose over 3 %', 'worst', 'loses'],
      rows,
      bars,
    }
  })

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
const percent = (share: number): string => `${fixed(share * 100, 1)} %`

/** Memory of a process of the pool where nothing else is said. */
const POOL_MEMORY = bytes(768 * 2 ** 20)

/** Processor time and memory of a 12-megapixel JPEG. */
const cost: Scenario = (stage) =>
  withGallery(stage, async (exhibits) => {
    const sizes = await Promise.all(exhibits.map(async ({ path }) => ({ path, ...(await sharp(path).metadata()) })))
    const large = sizes.filter(
      ({ format, width, height }) => format === 'jpeg' && width * height > 11e6 && width * height < 13e6,
    )
    const rows: string[][] = []
    const bars: Report['bars'][number][] = []
    for (const { path, width, height } of large.slice(0, 3)) {
      const script = new URL('../pictures/cost-process.ts', import.meta.url).pathname
      const args = [...nodeFlags(POOL_MEMORY), script, path, stage.settings.isQuick ? '4' : '60', '4']
      const told = execFileSync(process.execPath, args, { encoding: 'utf8', env: ENVIRONMENT })
      const { prepared, yardstick, peak } = JSON.parse(told) as { prepared: number; yardstick: number; peak: number }
      rows.push([
        `${width}×${height}`,
        fixed(prepared, 1),
        fixed(yardstick, 1),
        fixed(prepared / yardstick, 2),
        fixed(peak / 1e6, 0),
      ])
      bars.push({ name: `${width}×${height}: processor time`, figure: prepared, most: 35, unit: 'ms' })
      bars.push({ name: `${width}×${height}: memory with 4 in flight`, figure: peak / 1e6, most: 150, unit: 'MB' })
    }
    return {
      title: 'Pictures: what one costs',
      notes: ['12-megapixel JPEG, Claude high-res; beside it sharp alone: fit 768, JPEG. In turn, medians.'],
      columns: ['picture', 'ms', 'sharp alone', 'ratio', 'peak MB'],
      rows,
      bars,
    }
  })

/** Scenes of made films. */
const video: Scenario = (stage) =>
  withGallery(stage, async (exhibits) => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-films-'))
    const ffmpeg = FFMPEGS[0]?.file
    if (ffmpeg === undefined) throw new Error('no ffmpeg on this machine')
    const photographs = await distinctPhotographs(exhibits)
    const rows: string[][] = []
    let scenesInAll = 0
    let seenInAll = 0
    let framesInAll = 0
    try {
      for (let seed = 1; seed <= stage.rounds(3); seed++) {
        const path = join(folder, `${seed}.mp4`)
        const into = join(folder, String(seed))
        mkdirSync(into)
        const shuffled = photographs.toSorted((a, b) => hash(a, seed) - hash(b, seed))
        const scenes = await filmTalk(ffmpeg, path, seed, shuffled)
        const frames = await distinctFrames({ path, into, most: 100 }, taskContext(ffmpeg))
        const seen = scenes.filter(({ from, to }) =>
          frames.some(({ at }) => at >= from * 1_000 - 40 && at <= to * 1_000 + 40),
        )
        rows.push([
          `talk ${seed}`,
          fixed(scenes.at(-1)?.to ?? 0, 0),
          String(scenes.length),
          String(seen.length),
          String(frames.length),
        ])
        scenesInAll += scenes.length
        seenInAll += seen.length
        framesInAll += frames.length
      }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    return {
      title: 'Video: scenes and frames',
      notes: ['Photographs that pan and fade into each other, slides that grow line by line.'],
      columns: ['film', 'seconds', 'scenes', 'seen', 'frames'],
      rows,
      bars: [
        { name: 'scenes missed', figure: scenesInAll - seenInAll, most: 0, unit: 'scenes' },
        { name: 'frames a scene', figure: framesInAll / scenesInAll, most: 1.1, unit: 'frames' },
      ],
    }
  })

/** Photographs that differ in their colours: the same one twice is one scene. */
async function distinctPhotographs(exhibits: readonly Exhibit[]): Promise<string[]> {
  const chosen: { path: string; signals: Signals }[] = []
  for (const { path, text } of exhibits) {
    const { format, width, height } = await sharp(path).metadata()
    if (text !== null || format === 'png' || format === 'gif' || width * height < LEAST_PHOTOGRAPH) continue
    const small = sharp(path).flatten().resize(WIDTH, HEIGHT, { fit: 'cover' }).toColourspace('srgb')
    const signals = signalsOf(await small.raw().toBuffer())
    if (chosen.every((other) => colourChange(other.signals, signals) > LEAST_DIFFERENCE)) chosen.push({ path, signals })
  }
  return chosen.map(({ path }) => path)
}

/** Smaller pictures are icons, px; and how different two must be to be two, share of their colours. */
const LEAST_PHOTOGRAPH = 300_000
const LEAST_DIFFERENCE = 0.25

function hash(text: string, seed: number): number {
  let sum = seed
  for (const char of text) sum = (Math.imul(sum, 31) + (char.codePointAt(0) ?? 0)) | 0
  return sum
}

export const pictures: Readonly<Record<string, Scenario>> = {
  'pictures-tokens': tokens,
  'pictures-text': text,
  'pictures-cost': cost,
  'pictures-video': video,
}
