/** A small frame of a video: interleaved 8-bit RGB, row by row. */
export type Frame = Uint8Array

/** Size at which frames are compared, px: 16 × 9 blocks of 6 × 6. */
export const WIDTH = 96
export const HEIGHT = 54
const BLOCK = 6
const COLUMNS = WIDTH / BLOCK
const ROWS = HEIGHT / BLOCK
/** Shades of each colour that are told apart in a histogram. */
const SHADES = 6

/** What a frame looks like from afar. */
export interface Signals {
  /** Mean brightness of each block, 0 to 255. */
  readonly blocks: Float32Array
  /** Share of the pixels in each colour; the same for one picture wherever it is panned to, nearly. */
  readonly colours: Float32Array
  /** Whether anything is on it: not black, not one colour. */
  readonly isBlank: boolean
}

export function signalsOf(frame: Frame): Signals {
  const blocks = new Float32Array(COLUMNS * ROWS)
  const colours = new Float32Array(SHADES ** 3)
  let least = 255
  let most = 0
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const at = (y * WIDTH + x) * 3
      const [red, green, blue] = [frame[at] as number, frame[at + 1] as number, frame[at + 2] as number]
      const brightness = 0.3 * red + 0.59 * green + 0.11 * blue
      const block = Math.floor(y / BLOCK) * COLUMNS + Math.floor(x / BLOCK)
      blocks[block] = (blocks[block] as number) + brightness / (BLOCK * BLOCK)
      const colour = (shade(red) * SHADES + shade(green)) * SHADES + shade(blue)
      colours[colour] = (colours[colour] as number) + 1 / (WIDTH * HEIGHT)
      least = Math.min(least, brightness)
      most = Math.max(most, brightness)
    }
  }
  return { blocks, colours, isBlank: most - least < BLANK }
}

/** Brightest to darkest of a frame without a picture: noise of its encoding only. */
const BLANK = 12
const shade = (value: number): number => Math.floor((value * SHADES) / 256)

/** The largest change of a block, of 255: one new line of text on a slide is 6 and more. */
export function blockChange(a: Signals, b: Signals): number {
  let most = 0
  for (let i = 0; i < a.blocks.length; i++)
    most = Math.max(most, Math.abs((a.blocks[i] as number) - (b.blocks[i] as number)))
  return most
}

/** Mean change of all blocks, of 255. */
export function meanChange(a: Signals, b: Signals): number {
  let sum = 0
  for (let i = 0; i < a.blocks.length; i++) sum += Math.abs((a.blocks[i] as number) - (b.blocks[i] as number))
  return sum / a.blocks.length
}

/** Share of the pixels whose colour is not in the other frame, 0 to 1. */
export function colourChange(a: Signals, b: Signals): number {
  let sum = 0
  for (let i = 0; i < a.colours.length; i++) sum += Math.abs((a.colours[i] as number) - (b.colours[i] as number))
  return sum / 2
}
