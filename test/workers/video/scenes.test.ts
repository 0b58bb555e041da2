import { describe, expect, test } from 'vitest'
import { type Frame, HEIGHT, signalsOf, WIDTH } from '../../../workers/video/frame-signals.ts'
import { RATE, Scenes } from '../../../workers/video/scenes.ts'

type Colour = readonly [number, number, number]

/** A picture of stripes in some colours, seen from `offset` px on. */
function stripes(colours: readonly Colour[], offset = 0): Frame {
  const frame = new Uint8Array(WIDTH * HEIGHT * 3)
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      frame.set(colours[Math.floor((x + offset) / 7) % colours.length] as Colour, (y * WIDTH + x) * 3)
    }
  }
  return frame
}

/** A slide with lines of text, each a grey bar. */
function slide(lines: number): Frame {
  const frame = new Uint8Array(WIDTH * HEIGHT * 3).fill(250)
  for (let line = 0; line < lines; line++)
    for (let y = 0; y < 3; y++)
      frame.fill(120, ((6 + line * 6 + y) * WIDTH + 8) * 3, ((6 + line * 6 + y) * WIDTH + 60) * 3)
  return frame
}

function mixed(a: Frame, b: Frame, share: number): Frame {
  return a.map((value, i) => Math.round(value * (1 - share) + (b[i] as number) * share))
}

const WARM: readonly Colour[] = [
  [220, 120, 40],
  [180, 60, 30],
  [240, 200, 120],
]
const COLD: readonly Colour[] = [
  [20, 60, 160],
  [60, 140, 200],
  [10, 20, 70],
]

function watch(frames: readonly Frame[]): number[] {
  const scenes = new Scenes()
  for (const frame of frames) scenes.add(signalsOf(frame))
  return scenes.kept.map(({ index }) => index)
}

const still = (frame: Frame, seconds: number) => Array.from({ length: seconds * RATE }, () => frame)
const pan = (colours: readonly Colour[], seconds: number) =>
  Array.from({ length: seconds * RATE }, (_, i) => stripes(colours, i * 3))

describe('what is new in a video', () => {
  test('Q4 a picture that stands still is kept once', () => {
    expect(watch(still(slide(3), 20))).toHaveLength(1)
  })

  test('Q4 each new line on a slide is kept, once it stands', () => {
    const kept = watch([...still(slide(1), 3), ...still(slide(2), 3), ...still(slide(3), 3)])
    expect(kept).toHaveLength(3)
    expect(kept[1]).toBeGreaterThanOrEqual(3 * RATE)
    expect(kept[2]).toBeGreaterThanOrEqual(6 * RATE)
  })

  test('Q4 a pan across one scene is one frame', () => {
    expect(watch(pan(WARM, 15))).toHaveLength(1)
  })

  test('Q4 a cut and a cross-fade are seen, and kept when they are over', () => {
    const fade = Array.from({ length: RATE }, (_, i) => mixed(stripes(WARM), stripes(COLD), i / RATE))
    const kept = watch([...pan(WARM, 4), ...pan(COLD, 4), ...pan(WARM, 4), ...fade, ...pan(COLD, 4)])
    expect(kept).toHaveLength(4)
    expect(kept[3]).toBeGreaterThan(13 * RATE - 2)
  })

  test('Q4 black between two scenes is not kept', () => {
    const black = still(new Uint8Array(WIDTH * HEIGHT * 3), 2)
    expect(watch([...still(slide(2), 3), ...black, ...still(stripes(COLD), 3)])).toHaveLength(2)
  })

  test('Q4 of too many the ones with most news stay, in order', () => {
    const scenes = new Scenes()
    for (const frame of [slide(1), slide(2), stripes(COLD), slide(3)])
      for (const same of still(frame, 2)) scenes.add(signalsOf(same))
    const most = scenes.most(2).map(({ index }) => index)
    expect(scenes.kept).toHaveLength(4)
    expect(most).toHaveLength(2)
    expect(most[0]).toBeLessThan(most[1] as number)
    expect(most[0]).toBeLessThan(2 * RATE)
  })
})
