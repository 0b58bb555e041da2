import { cpus } from 'node:os'
import sharp from 'sharp'
import { openRecogniser, type Recogniser } from '../../workers/pictures/recogniser.ts'

/** Text of 8 px x-height is read best at about 26. */
const ENLARGED = 3
const MOST_READ_PIXELS = 9_000_000

/** Reads pictures, a few at a time, and says how many words of a text it found. */
export class Reader implements AsyncDisposable {
  readonly #free: Recogniser[]
  readonly #waiting: ((recogniser: Recogniser) => void)[] = []
  readonly #all: readonly Recogniser[]

  private constructor(all: readonly Recogniser[]) {
    this.#all = all
    this.#free = [...all]
  }

  static async open(): Promise<Reader> {
    return new Reader(await Promise.all(Array.from({ length: Math.min(2, cpus().length) }, openRecogniser)))
  }

  /**
   * The share of the words of `text` that are read in some pictures: the better of two readings, as they are and enlarged,
   * because what a reader cannot make out at a small size may be there all the same.
   */
  async recall(pictures: readonly Buffer[], text: string): Promise<number> {
    const wanted = wordsOf(text)
    const readings = await Promise.all([1, ENLARGED].map((times) => this.#read(pictures, times)))
    return Math.max(...readings.map((reading) => shareOf(wanted, wordsOf(reading))))
  }

  async #read(pictures: readonly Buffer[], times: number): Promise<string> {
    const texts: string[] = []
    for (const picture of pictures) {
      const { width, height } = await sharp(picture).metadata()
      const enlarged = Math.max(1, Math.min(times, Math.sqrt(MOST_READ_PIXELS / (width * height))))
      const png = await sharp(picture)
        .flatten({ background: '#fff' })
        .resize({ width: Math.round(width * enlarged) })
        .png()
        .toBuffer()
      const recogniser = await this.#take()
      try {
        texts.push((await recogniser.read(png, 'page')).text)
      } finally {
        this.#give(recogniser)
      }
    }
    return texts.join('\n')
  }

  #take(): Promise<Recogniser> {
    const free = this.#free.pop()
    if (free !== undefined) return Promise.resolve(free)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #give(recogniser: Recogniser): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(recogniser)
    else next(recogniser)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const recogniser of this.#all) await recogniser[Symbol.asyncDispose]()
  }
}

function wordsOf(text: string): string[] {
  const words = text
    .toLowerCase()
    .replace(/[^a-z0-9.,$%:/-]+/g, ' ')
    .split(' ')
  return words.map((word) => word.replace(/^[.,:/-]+|[.,:/-]+$/g, '')).filter((word) => word !== '')
}

/** In whatever order: between columns it is free. */
function shareOf(wanted: readonly string[], found: readonly string[]): number {
  const left = new Map<string, number>()
  for (const word of found) left.set(word, (left.get(word) ?? 0) + 1)
  let seen = 0
  for (const word of wanted) {
    const count = left.get(word) ?? 0
    if (count > 0) seen++
    left.set(word, count - 1)
  }
  return wanted.length === 0 ? 1 : seen / wanted.length
}
