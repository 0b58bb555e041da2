import { existsSync, readFileSync } from 'node:fs'

/** A stretch of time, seconds. */
export interface Stretch {
  readonly start: number
  readonly end: number
}

/** A recording of which it is known who speaks when. */
export interface Labelled {
  readonly file: string
  readonly seconds: number
  /** In order; pauses under 0.3 s are closed. */
  readonly speech: readonly Stretch[]
  /** `~` for an audible island whose words are not known. */
  readonly words: readonly (Stretch & { readonly word: string })[]
  readonly blocks: readonly (Stretch & { readonly condition: string })[]
}

/** Reads NAME.wav, NAME.rttm and, where they are there, NAME.words.tsv and NAME.blocks.tsv. */
export function readLabels(stem: string): Labelled {
  const rows = (ending: string) =>
    existsSync(stem + ending)
      ? readFileSync(stem + ending, 'utf8')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.split(/\t/))
      : []
  const rttm = rows('.rttm').map(([line = '']) => line.split(' '))
  return {
    file: `${stem}.wav`,
    seconds: (readFileSync(`${stem}.wav`).length - 44) / 32_000,
    speech: rttm.map(([, , , start, length]) => ({ start: Number(start), end: Number(start) + Number(length) })),
    words: rows('.words.tsv').map(([start, end, word = '']) => ({ start: Number(start), end: Number(end), word })),
    blocks: rows('.blocks.tsv').map(([start, end, condition = '']) => ({
      start: Number(start),
      end: Number(end),
      condition,
    })),
  }
}
