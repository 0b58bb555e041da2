import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { distinctFrames } from '../../../workers/video/distinct-frames.ts'
import { FFMPEGS, taskContext } from '../../support/ffmpeg.ts'
import { TempFolder } from '../../support/temp-folder.ts'
import { photograph } from '../pictures/pictures.ts'

const folder = new TempFolder()
afterAll(() => folder[Symbol.dispose]())

const WIDTH = 320
const HEIGHT = 180
const FRAMES_A_SECOND = 10
const TINTS = ['#f40', '#08f', '#2a2']

/** Three tinted pictures that pan for three seconds each, then two still ones of two seconds. */
async function film(ffmpeg: string): Promise<string> {
  const frames: Buffer[] = []
  for (const [i, tint] of TINTS.entries()) {
    const picture = sharp(await photograph(WIDTH + 60, HEIGHT, i + 1)).tint(tint)
    const wide = await picture.toColourspace('srgb').png().toBuffer()
    for (let frame = 0; frame < 3 * FRAMES_A_SECOND; frame++) {
      const left = frame * 2
      frames.push(await sharp(wide).extract({ left, top: 0, width: WIDTH, height: HEIGHT }).raw().toBuffer())
    }
  }
  for (const height of [40, 90]) {
    const box = await sharp({ create: { width: 200, height, channels: 3, background: '#333' } })
      .png()
      .toBuffer()
    const slide = sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#fff' } })
    const still = await slide
      .composite([{ input: box, left: 40, top: 30 }])
      .removeAlpha()
      .raw()
      .toBuffer()
    for (let frame = 0; frame < 2 * FRAMES_A_SECOND; frame++) frames.push(still)
  }
  const path = join(folder.path, 'film.mp4')
  const input = [
    '-f',
    'rawvideo',
    '-pix_fmt',
    'rgb24',
    '-s',
    `${WIDTH}x${HEIGHT}`,
    '-r',
    String(FRAMES_A_SECOND),
    '-i',
    'pipe:0',
  ]
  const made = spawnSync(ffmpeg, ['-y', '-v', 'error', ...input, '-c:v', 'mpeg4', '-q:v', '3', path], {
    input: Buffer.concat(frames),
  })
  expect(made.status).toBe(0)
  return path
}

describe('the few frames of a video', () => {
  test.each(FFMPEGS)(
    'Q4 every scene is seen once, as a full-size picture, with the ffmpeg of $name',
    async ({ file }) => {
      const path = await film(file)
      const into = join(folder.path, `frames-${FFMPEGS.findIndex((one) => one.file === file)}`)
      mkdirSync(into)
      const frames = await distinctFrames({ path, into, most: 100 }, taskContext(file))
      const scenes = [0, 3, 6, 9, 11, 13]
      for (let i = 0; i + 1 < scenes.length; i++) {
        const seen = frames.filter(
          ({ at }) => at >= (scenes[i] as number) * 1_000 && at < (scenes[i + 1] as number) * 1_000,
        )
        expect(seen, `scene ${i + 1}`).toHaveLength(1)
      }
      for (const frame of frames)
        expect(await sharp(join(into, frame.file)).metadata()).toMatchObject({
          width: WIDTH,
          height: HEIGHT,
          format: 'jpeg',
        })
    },
  )

  test('Q4 sound alone, and half a film, are told as what they are', async () => {
    const { file } = FFMPEGS[0] as (typeof FFMPEGS)[0]
    const run = (path: string) => distinctFrames({ path, into: folder.path, most: 5 }, taskContext(file))
    const text = join(folder.path, 'text.mp4')
    writeFileSync(text, 'no film at all')
    await expect(run(text)).rejects.toMatchObject({ code: 'unsupported_media' })
    const { order } = (await import('../../../fixtures/index.ts')).speech
    await expect(run(order.file)).rejects.toMatchObject({ code: 'unsupported_media' })
  })
})
