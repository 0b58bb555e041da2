import { basename } from 'node:path'
import { TempFolder } from '../../test/support/temp-folder.ts'
import { findFfmpeg } from '../../workers/tools/find-ffmpeg.ts'
import type { Labelled } from '../audio/labels.ts'
import type { ListenerName } from '../audio/listeners.ts'
import { labelledIn, ownMaterial, repeated } from '../audio/material.ts'
import { type Measured, measure } from '../audio/measure.ts'
import { addScores, type Score, score } from '../audio/score.ts'
import { type Bar, fixed, type Report } from '../report.ts'
import type { Stage } from '../stage.ts'

const LISTENERS: readonly ListenerName[] = [
  'parley',
  'parley webrtc',
  'node-vad 0',
  'node-vad 3',
  'silence -40 dB',
  'silence -30 dB',
]
/** The limit of a piece in the table, and a tight one for cuts where nobody pauses, seconds. */
const PIECE = 300
const TIGHT_PIECE = 30
const MEGABYTE = 1_000_000

/**
 * What is lost of speech and gone of silence, beside what a user would pick instead. Meetings (`ami-…`) are labelled by
 * utterance, pauses inside included, so they stand apart; recordings in which nobody speaks are an hour of silence.
 */
export async function audio(stage: Stage): Promise<Report> {
  using folder = new TempFolder()
  const { speech } = stage.settings
  const all = speech === null ? ownMaterial(folder.path) : labelledIn(speech)
  const isMeeting = ({ file }: Labelled) => basename(file).startsWith('ami-')
  const spoken = all.filter((one) => !isMeeting(one) && one.speech.length > 0)
  const groups: readonly [string, Labelled[]][] = [
    ['speech', spoken],
    ['meetings', all.filter(isMeeting)],
    ['silence', all.filter((one) => one.speech.length === 0)],
  ]
  const rows: string[][] = []
  const bars: Bar[] = []
  for (const name of stage.settings.isQuick ? LISTENERS.slice(0, 1) : LISTENERS) {
    for (const [group, recordings] of groups.filter(([, recordings]) => recordings.length > 0)) {
      const { found, perHour, peak } = await judge(name, recordings, PIECE)
      rows.push([name, group, ...cells(found), fixed(perHour, 1), fixed(peak / MEGABYTE, 0)])
      if (name === 'parley') bars.push(...barsOf(group, found, perHour))
    }
  }
  const tight = await judge('parley', spoken, TIGHT_PIECE)
  bars.push({
    name: `cuts inside a word of 300, pieces of ${TIGHT_PIECE} s`,
    figure: (300 * (tight.found.cutsInWords + tight.found.edgesInWords)) / (tight.found.cuts + tight.found.edges),
    most: 2,
    unit: '',
  })
  return {
    title: 'Audio: speech that is lost and silence that is gone',
    notes: [
      speech === null ? 'made of fixtures: --speech=<folder> for labelled recordings' : `pieces of ${PIECE} s at most`,
      'gone: of pauses from 1 s on less 0.3 s at each end; babble, which is voices, aside. CPU with decoding and encoding.',
      `pieces of ${TIGHT_PIECE} s: ${tight.found.cutsInWords} of ${tight.found.cuts} cuts in a word, ${tight.found.cutsInIslands} in islands of unknown words`,
    ],
    columns: [
      '',
      'of',
      'missed %',
      'words lost',
      'edges in words',
      'cuts in words',
      'gone %',
      'hold music gone %',
      'CPU s/h',
      'peak MB',
    ],
    rows,
    bars,
  }
}

/** Whether memory grows with a recording's length. */
export async function audioMemory(stage: Stage): Promise<Report> {
  using folder = new TempFolder()
  const { speech, isQuick } = stage.settings
  const [source] = (speech === null ? ownMaterial(folder.path) : labelledIn(speech)).sort(
    (a, b) => b.seconds - a.seconds,
  )
  if (source === undefined) throw new Error('There is no recording to repeat.')
  const ffmpeg = await findFfmpeg(process.env.FFMPEG_PATH, process.env.PATH, { warn: () => undefined })
  const lengths = [300, isQuick ? 1_800 : 10_800]
  const found: Measured[] = []
  for (const seconds of lengths) {
    found.push(await measure('parley', repeated(ffmpeg.file, source.file, seconds, folder.path), PIECE))
  }
  const [short, long] = found as [Measured, Measured]
  return {
    title: 'Audio: memory and length',
    notes: ['resident, highest: of the process, and of it and its ffmpeg together'],
    columns: ['', 'process MB', 'with ffmpeg MB', 'CPU s/h'],
    rows: found.map(({ peak, peakTogether, cpuSeconds, judged }, i) => [
      `${(lengths[i] as number) / 60} min`,
      fixed(peak / MEGABYTE, 0),
      fixed(peakTogether / MEGABYTE, 0),
      fixed((cpuSeconds / judged.seconds) * 3_600, 1),
    ]),
    bars: [
      { name: 'peak memory of the long recording', figure: long.peak / MEGABYTE, most: 300, unit: 'MB' },
      { name: 'of that of the short one', figure: long.peak / short.peak, most: 1.1, unit: 'times' },
    ],
  }
}

async function judge(name: ListenerName, recordings: readonly Labelled[], pieceSeconds: number) {
  const scores: Score[] = []
  let cpu = 0
  let seconds = 0
  let peak = 0
  for (const labels of recordings) {
    const measured = await measure(name, labels.file, pieceSeconds)
    scores.push(score(labels, measured.judged.kept, measured.judged.cuts))
    cpu += measured.cpuSeconds
    seconds += labels.seconds
    peak = Math.max(peak, measured.peak)
  }
  return { found: addScores(scores), perHour: (cpu / seconds) * 3_600, peak }
}

function cells(found: Score): string[] {
  return [
    fixed((100 * found.missed) / found.speech, 3),
    `${found.wordsLost} of ${found.words}`,
    `${found.edgesInWords} of ${found.edges}`,
    `${found.cutsInWords} of ${found.cuts}`,
    fixed((100 * found.removed) / found.removable, 1),
    fixed((100 * found.holdRemoved) / found.hold, 1),
  ]
}

function barsOf(group: string, found: Score, perHour: number): Bar[] {
  const left = {
    name: `${group}: silence that is left`,
    figure: 100 - (100 * found.removed) / found.removable,
    unit: '%',
  }
  const missed = { name: `${group}: missed`, figure: (100 * found.missed) / found.speech, unit: '%' }
  if (group === 'silence') return [{ name: 'silence: CPU s/h', figure: perHour, most: 6, unit: 's' }]
  if (group === 'meetings')
    return [
      { ...missed, most: 4.5 },
      { ...left, most: 15 },
    ]
  const bars: Bar[] = [
    { ...missed, most: 0.05 },
    { ...left, most: 6 },
  ]
  if (found.words > 0) {
    bars.push({ name: 'words lost of 3,000', figure: (3_000 * found.wordsLost) / found.words, most: 1, unit: '' })
    bars.push({
      name: 'edges inside a word of 300',
      figure: (300 * found.edgesInWords) / found.edges,
      most: 2,
      unit: '',
    })
    bars.push({ name: `cuts inside a word, pieces of ${PIECE} s`, figure: found.cutsInWords, most: 0, unit: '' })
  }
  if (found.hold > 0) {
    bars.push({
      name: 'hold music that is left',
      figure: 100 - (100 * found.holdRemoved) / found.hold,
      most: 7,
      unit: '%',
    })
  }
  return [...bars, { name: 'speech: CPU s/h', figure: perHour, most: 20, unit: 's' }]
}
