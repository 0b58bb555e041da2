import { execFileSync } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { wav } from '../../test/support/sound.ts'
import { spokenScene } from '../../test/support/speech.ts'
import { type Labelled, readLabels } from './labels.ts'

/** Everything labelled in a folder: NAME.wav beside NAME.rttm. */
export function labelledIn(folder: string): Labelled[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.rttm'))
  return names.sort().map((name) => readLabels(join(folder, name.slice(0, -'.rttm'.length))))
}

/** Without such a folder: the fixtures' sentences with long and short pauses over hiss, ten minutes of them. */
export function ownMaterial(folder: string): Labelled[] {
  const pauses = Array.from({ length: 100 }, (_, i) => [0.4, 1.5, 3, 0.8, 12, 2][i % 6] as number)
  const { pcm, spoken } = spokenScene(pauses, 0.0005)
  const stem = join(folder, 'scene')
  writeFileSync(`${stem}.wav`, wav(pcm))
  const line = ({ start, end }: { start: number; end: number }) =>
    `SPEAKER scene 1 ${(start / 16_000).toFixed(3)} ${((end - start) / 16_000).toFixed(3)} <NA> <NA> speech <NA> <NA>\n`
  writeFileSync(`${stem}.rttm`, spoken.map(line).join(''))
  return [readLabels(stem)]
}

/** A recording repeated until it is as long as that, as MP3, which is how long recordings come. */
export function repeated(ffmpeg: string, file: string, seconds: number, folder: string): string {
  const to = join(folder, `repeated-${seconds}.mp3`)
  const args = [
    '-nostdin',
    '-v',
    'error',
    '-y',
    '-stream_loop',
    '-1',
    '-i',
    file,
    '-t',
    String(seconds),
    '-b:a',
    '48k',
    to,
  ]
  execFileSync(ffmpeg, args)
  return to
}
