import type { Labelled, Stretch } from './labels.ts'

/** What became of a recording's speech and silence. Seconds and counts, so that several recordings can be added up. */
export interface Score {
  speech: number
  missed: number
  words: number
  wordsLost: number
  /** Ends of what was kept, and how many lie inside a word. */
  edges: number
  edgesInWords: number
  cuts: number
  cutsInWords: number
  /** Inside of audible islands whose words are not known: between two words of them, or not. */
  cutsInIslands: number
  /** Silence that can be removed, babble aside, and how much was. */
  removable: number
  removed: number
  /** The same of the blocks of hold music alone. */
  hold: number
  holdRemoved: number
}

/** What labels call an audible island. */
const ISLAND = '~'
/** Of a word that is lost so much is not kept. */
const LOST_SHARE = 0.5
/** How exact the labels of words are, seconds. */
const LABEL_SLACK = 0.02
/** Silence counts as removable from this length on, less what belongs to the words around it, seconds. */
const REMOVABLE = { from: 1, margin: 0.3 }

/** `kept`: in order, seconds. `cuts`: places inside of it where a new piece begins, seconds. */
export function score(labels: Labelled, kept: readonly Stretch[], cuts: readonly number[]): Score {
  const speech = sum(labels.speech)
  const edges = kept.flatMap(({ start, end }) => [start, end]).filter((at) => at > 0 && at < labels.seconds - 0.001)
  const known = labels.words
  const silence = gaps(labels.speech, labels.seconds)
    .filter(({ start, end }) => end - start >= REMOVABLE.from)
    .map(({ start, end }) => ({ start: start + REMOVABLE.margin, end: end - REMOVABLE.margin }))
  const blocks = labels.blocks.length > 0 ? labels.blocks : [{ start: 0, end: labels.seconds, condition: '' }]
  const within = (stretches: readonly Stretch[], is: (condition: string) => boolean) =>
    blocks.filter(({ condition }) => is(condition)).flatMap((block) => stretches.map((one) => clip(one, block)))
  const ordinary = within(silence, (condition) => !condition.startsWith('babble') && condition !== 'hold')
  const hold = within(silence, (condition) => condition === 'hold')
  const removedOf = (stretches: readonly Stretch[]) =>
    stretches.reduce((all, one) => all + Math.max(0, one.end - one.start) - overlap(one, kept), 0)
  return {
    speech,
    missed: speech - labels.speech.reduce((all, one) => all + overlap(one, kept), 0),
    words: known.length,
    wordsLost: known.filter((word) => overlap(word, kept) < (1 - LOST_SHARE) * (word.end - word.start)).length,
    edges: edges.length,
    edgesInWords: edges.filter((at) => isInside(at, known)).length,
    cuts: cuts.length,
    cutsInWords: cuts.filter((at) => isInside(at, known, (word) => word !== ISLAND)).length,
    cutsInIslands: cuts.filter((at) => isInside(at, known, (word) => word === ISLAND)).length,
    removable: ordinary.reduce((all, one) => all + Math.max(0, one.end - one.start), 0),
    removed: removedOf(ordinary),
    hold: hold.reduce((all, one) => all + Math.max(0, one.end - one.start), 0),
    holdRemoved: removedOf(hold),
  }
}

export function addScores(scores: readonly Score[]): Score {
  const [first, ...rest] = scores
  if (first === undefined) throw new RangeError('nothing to add up')
  const total = { ...first }
  for (const one of rest) {
    for (const key of Object.keys(total) as (keyof Score)[]) total[key] += one[key]
  }
  return total
}

const sum = (stretches: readonly Stretch[]) => stretches.reduce((all, { start, end }) => all + end - start, 0)

const clip = (one: Stretch, to: Stretch): Stretch => ({
  start: Math.max(one.start, to.start),
  end: Math.min(one.end, to.end),
})

function overlap(one: Stretch, others: readonly Stretch[]): number {
  let all = 0
  for (const other of others) {
    if (other.start >= one.end) break
    all += Math.max(0, Math.min(one.end, other.end) - Math.max(one.start, other.start))
  }
  return all
}

const isInside = (at: number, words: Labelled['words'], counts = (_word: string) => true) =>
  words.some(({ start, end, word }) => start + LABEL_SLACK < at && at < end - LABEL_SLACK && counts(word))

function gaps(stretches: readonly Stretch[], until: number): Stretch[] {
  const found: Stretch[] = []
  let at = 0
  for (const { start, end } of stretches) {
    if (start > at) found.push({ start: at, end: start })
    at = Math.max(at, end)
  }
  if (until > at) found.push({ start: at, end: until })
  return found
}
