/** Samples at 24 kHz over which speech fades in and out, 2.7 ms: what one buffer of a sound card at 48 kHz lasts. */
export const FADE = 64
/** Speech waits until this much of it is here, samples: 60 ms. */
const FIRST_WAIT = 1_440
/** Each time it runs dry it waits for twice as much, up to 480 ms. */
const LONGEST_WAIT = 11_520

/** What has happened since it was last asked. */
export type News =
  /** Something is to be heard after silence. */
  | { type: 'sounding' }
  /** Everything has been played, and nothing is missing. */
  | { type: 'quiet' }
  /** It ran dry in the middle: the network is slower than speech. */
  | { type: 'dry' }

/** How much of an item has been played, samples. */
export interface Played {
  itemId: string
  samples: number
}

interface Item {
  itemId: string
  pieces: Int16Array[]
  /** Samples of its first piece that are gone already. */
  offset: number
  played: number
  isFinished: boolean
}

/**
 * Speech on its way to the speaker, 24 kHz. It comes in pieces, in bursts and late; it leaves evenly, and never with a
 * step: its level is bounded by how much is left, so that it has faded to nothing whenever it ends, for whatever reason.
 */
export class JitterBuffer {
  readonly #items: Item[] = []
  #available = 0
  #isPlaying = false
  #wait = FIRST_WAIT
  #gain = 0
  #news: News[] = []

  /** Samples that wait to be played. */
  get available(): number {
    return this.#available
  }

  push(itemId: string, samples: Int16Array): void {
    if (samples.length === 0) return
    let item = this.#items.at(-1)
    if (item?.itemId !== itemId) {
      // What follows it shows that the item before has come to its end.
      if (item !== undefined) item.isFinished = true
      item = { itemId, pieces: [], offset: 0, played: 0, isFinished: false }
      this.#items.push(item)
    }
    item.pieces.push(samples)
    this.#available += samples.length
  }

  /** No more comes of this item: its end is a real one. */
  finish(itemId: string): void {
    const item = this.#items.find((one) => one.itemId === itemId)
    if (item !== undefined) item.isFinished = true
  }

  /** Fills `out` with what is to be heard next, silence where there is nothing. */
  pull(out: Float32Array): void {
    if (!this.#isPlaying && this.#mayBegin()) {
      this.#isPlaying = true
      this.#news.push({ type: 'sounding' })
    }
    let i = 0
    if (this.#isPlaying) {
      for (; i < out.length && this.#available > 0; i++) {
        this.#gain = Math.min(1, this.#gain + 1 / FADE, this.#available / FADE)
        out[i] = (this.#next() / 32_768) * smooth(this.#gain)
      }
      if (this.#available === 0) this.#ranOut()
    }
    out.fill(0, i)
  }

  /** Ends everything within one fade. Says how much of each item will then have been played. */
  cut(): Played[] {
    let left = this.#isPlaying ? Math.min(FADE, this.#available) : 0
    this.#available = left
    const heard: Played[] = []
    for (const item of this.#items) {
      const has = item.pieces.reduce((sum, piece) => sum + piece.length, 0) - item.offset
      const keeps = Math.min(has, left)
      left -= keeps
      shorten(item, keeps)
      heard.push({ itemId: item.itemId, samples: item.played + keeps })
      item.isFinished = true
    }
    if (this.#available === 0) this.#items.length = 0
    return heard
  }

  /** What has happened, once. */
  takeNews(): readonly News[] {
    if (this.#news.length === 0) return NOTHING
    const news = this.#news
    this.#news = []
    return news
  }

  #mayBegin(): boolean {
    return this.#available > 0 && (this.#available >= this.#wait || this.#items.at(-1)?.isFinished === true)
  }

  #next(): number {
    let item = this.#items[0] as Item
    while (item.pieces.length === 0) {
      this.#items.shift()
      item = this.#items[0] as Item
    }
    const piece = item.pieces[0] as Int16Array
    const sample = piece[item.offset] as number
    item.offset++
    item.played++
    this.#available--
    if (item.offset === piece.length) {
      item.pieces.shift()
      item.offset = 0
    }
    return sample
  }

  #ranOut(): void {
    this.#isPlaying = false
    this.#gain = 0
    const isOver = this.#items.at(-1)?.isFinished !== false
    if (isOver) {
      this.#items.length = 0
      this.#wait = FIRST_WAIT
    } else this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2)
    this.#news.push({ type: isOver ? 'quiet' : 'dry' })
  }
}

const NOTHING: readonly News[] = []

/** The fade's own edges are round, so that they are not heard either. */
function smooth(gain: number): number {
  return gain * gain * (3 - 2 * gain)
}

/** Drops everything of an item but its next `keeps` samples. */
function shorten(item: Item, keeps: number): void {
  let left = keeps + item.offset
  const pieces: Int16Array[] = []
  for (const piece of item.pieces) {
    if (left <= 0) break
    pieces.push(piece.subarray(0, left))
    left -= piece.length
  }
  item.pieces = keeps === 0 ? [] : pieces
  if (keeps === 0) item.offset = 0
}
