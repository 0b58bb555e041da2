/** The quietest 30 ms of the last two seconds: what is left of a room when nobody speaks, even between two words. */
export class NoiseFloor {
  /** Minimum of each quarter of a second, newest last. */
  readonly #bins: number[] = []
  #frames = 0

  /** Takes the level of the next frame and gives the floor, both in dB. */
  hear(levelDb: number): number {
    if (this.#frames % FRAMES_PER_BIN === 0) {
      this.#bins.push(levelDb)
      if (this.#bins.length > BINS) this.#bins.shift()
    } else {
      const newest = this.#bins.length - 1
      this.#bins[newest] = Math.min(this.#bins[newest] ?? levelDb, levelDb)
    }
    this.#frames++
    return Math.min(...this.#bins)
  }
}

/** The loudest of the last 300 ms. */
export class RecentPeak {
  readonly #levels: number[] = []

  hear(levelDb: number): number {
    this.#levels.push(levelDb)
    if (this.#levels.length > PEAK_FRAMES) this.#levels.shift()
    return Math.max(...this.#levels)
  }
}

const PEAK_FRAMES = 10
const FRAMES_PER_BIN = 8
const BINS = 8
