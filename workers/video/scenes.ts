import { blockChange, colourChange, meanChange, type Signals } from './frame-signals.ts'

/** Frames a second that are compared. */
export const RATE = 5
/** A picture stands still once it has not changed for so many frames. */
const STILL_FRAMES = 3
/** Largest change of a block from frame to frame in a still picture, of 255. */
const STILL = 2.5
/** A still picture is new when one block differs so much from the one kept, of 255: one line of text. */
const NEW_LINE = 6
/**
 * A moving picture has been replaced when so much of its colour changed within a second: cuts and cross-fades between the
 * most alike photographs of nine films changed 0.146 and more, pans within one 0.082 at most.
 */
const CUT = 0.12
/** And so many times what its own motion usually changes: a fast pan is no cut. */
const CUT_TO_MOTION = 2.2
/** Or so much more than that: where half of it changes anyway, all of it is a cut. */
const CUT_OVER_MOTION = 0.25
/**
 * Between pictures of the same colours a cut is a jump: all blocks together change by so much from one frame to the next, of
 * 255, and by so many times what they usually do. Pans of those films changed 9 at most.
 */
const JUMP = 14
const JUMP_TO_STEPS = 4
/** Share of a new value in the usual motion: about two seconds' worth. */
const MOTION_SHARE = 0.1
/** After a cut the new picture has settled when it changes no more than this from frame to frame, or at the latest after. */
const SETTLED_COLOURS = 0.06
const LATEST_FRAMES = 2 * RATE
const WINDOW = RATE

/** A frame that shows something new. */
export interface Kept {
  /** Its place among the frames compared, from 0. */
  readonly index: number
  /** How different it is from the one kept before; the first is as different as can be. */
  readonly news: number
}

/**
 * Which frames of a video show something that those before did not: told frame by frame, in order. A still picture is
 * compared block by block, so that a new line on a slide counts; a moving one only after a cut or a cross-fade, once that
 * is over, so that a pan across one scene is one frame.
 */
export class Scenes {
  readonly kept: Kept[] = []
  readonly #recent: Signals[] = []
  #last: Signals | null = null
  #index = -1
  #stillFor = 0
  /** What a second usually changes while nothing is cut. */
  #motion = 0
  /** And what a frame usually changes; null before the second. */
  #steps: number | null = null
  /** The cut was a jump, so that what comes is new whatever its colours. */
  #jumped = false
  /** Frames since a cut that nothing was kept for yet; null where there is none. */
  #sinceCut: number | null = 0

  add(frame: Signals): void {
    this.#index++
    const before = this.#recent.at(-1)
    const secondAgo = this.#recent[0]
    if (this.#recent.push(frame) > WINDOW) this.#recent.shift()
    if (before === undefined || secondAgo === undefined) return
    this.#stillFor = blockChange(before, frame) <= STILL ? this.#stillFor + 1 : 0
    if (this.#isCut(secondAgo, before, frame)) this.#sinceCut ??= 0
    if (this.#sinceCut !== null) this.#sinceCut++
    if (frame.isBlank) return
    if (this.#stillFor >= STILL_FRAMES) this.#judgeStill(frame)
    else if (this.#sinceCut !== null && this.#hasSettled(before, frame)) this.#judgeMoving(frame)
  }

  /** The frames that show the most news, at most so many, in order. */
  most(count: number): Kept[] {
    const best = this.kept.toSorted((a, b) => b.news - a.news).slice(0, count)
    return best.sort((a, b) => a.index - b.index)
  }

  #isCut(secondAgo: Signals, before: Signals, frame: Signals): boolean {
    const step = meanChange(before, frame)
    const isJump = this.#steps !== null && step > Math.max(JUMP, this.#steps * JUMP_TO_STEPS)
    this.#steps ??= step
    this.#steps += (step - this.#steps) * MOTION_SHARE
    if (isJump) {
      this.#jumped = true
      return true
    }
    const change = colourChange(secondAgo, frame)
    const usual = Math.min(this.#motion * CUT_TO_MOTION, this.#motion + CUT_OVER_MOTION)
    if (change > Math.max(CUT, usual)) return true
    this.#motion += (change - this.#motion) * MOTION_SHARE
    return false
  }

  #judgeStill(frame: Signals): void {
    this.#sinceCut = null
    if (this.#last === null || blockChange(this.#last, frame) > NEW_LINE) this.#keep(frame)
  }

  #judgeMoving(frame: Signals): void {
    this.#sinceCut = null
    if (this.#last === null || this.#jumped || colourChange(this.#last, frame) > CUT) this.#keep(frame)
  }

  #hasSettled(before: Signals, frame: Signals): boolean {
    const waited = this.#sinceCut ?? 0
    return waited >= LATEST_FRAMES || (waited >= STILL_FRAMES && colourChange(before, frame) <= SETTLED_COLOURS)
  }

  #keep(frame: Signals): void {
    const news = this.#last === null ? Number.POSITIVE_INFINITY : blockChange(this.#last, frame)
    this.kept.push({ index: this.#index, news })
    this.#last = frame
    this.#jumped = false
  }
}
