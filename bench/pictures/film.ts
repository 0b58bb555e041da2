import { spawn } from 'node:child_process'
import { once } from 'node:events'
import sharp from 'sharp'
import { dice } from '../../fixtures/dice.ts'
import { photograph } from '../../test/workers/pictures/pictures.ts'

const WIDTH = 960
const HEIGHT = 540
const RATE = 25

/** A stretch of a film that shows one thing; a cross-fade before it is no part of it. Seconds. */
export interface Scene {
  readonly kind: 'photograph' | 'slide'
  readonly from: number
  readonly to: number
}

/** Films a talk: photographs that pan and fade into each other, then slides that grow by one line at a time. */
export async function filmTalk(
  ffmpeg: string,
  path: string,
  seed: number,
  photographs: readonly string[],
): Promise<Scene[]> {
  const random = dice(seed)
  const input = ['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${WIDTH}x${HEIGHT}`, '-r', String(RATE), '-i', 'pipe:0']
  const output = ['-c:v', 'mpeg4', '-q:v', '4', '-pix_fmt', 'yuv420p', path]
  const camera = spawn(ffmpeg, ['-y', '-v', 'error', ...input, ...output], { stdio: ['pipe', 'ignore', 'inherit'] })
  const ended = once(camera, 'close')
  const scenes: Scene[] = []
  let frames = 0
  let last: Buffer | null = null

  async function shoot(
    kind: Scene['kind'],
    seconds: number,
    fade: number,
    at: (share: number) => Buffer,
  ): Promise<void> {
    const before = last
    const count = Math.round(seconds * RATE)
    const fading = before === null ? 0 : Math.round(fade * RATE)
    const from = (frames + fading) / RATE
    for (let i = 0; i < count; i++) {
      const frame = at(i / count)
      last = i < fading && before !== null ? mixed(before, frame, (i + 1) / (fading + 1)) : frame
      if (!camera.stdin.write(last)) await once(camera.stdin, 'drain')
      frames++
    }
    last = at(1)
    scenes.push({ kind, from, to: frames / RATE })
  }

  for (let i = 0; i < 6; i++) {
    const picture = photographs[i % Math.max(1, photographs.length)] ?? (await photograph(1_600, 1_000, seed * 10 + i))
    const wide = sharp(picture)
      .autoOrient()
      .flatten()
      .resize(WIDTH + 280, HEIGHT, { fit: 'cover' })
    const { data, info } = await wide.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
    const fade = random() < 0.75 ? 0.6 + random() * 0.8 : 0
    await shoot('photograph', 4 + random() * 4, fade, (share) => window(data, info.width, Math.round(share * 270)))
  }
  for (let i = 0; i < 2; i++) {
    for (let lines = 1; lines <= 4; lines++) {
      const still = await slide(lines, i === 1)
      await shoot('slide', 3 + random() * 3, 0, () => still)
    }
  }
  camera.stdin.end()
  await ended
  return scenes
}

function window(data: Buffer, width: number, left: number): Buffer {
  const out = Buffer.alloc(WIDTH * HEIGHT * 3)
  for (let y = 0; y < HEIGHT; y++) data.copy(out, y * WIDTH * 3, (y * width + left) * 3, (y * width + left + WIDTH) * 3)
  return out
}

function mixed(a: Buffer, b: Buffer, share: number): Buffer {
  const out = Buffer.alloc(a.length)
  for (let i = 0; i < a.length; i++) out[i] = (a[i] as number) * (1 - share) + (b[i] as number) * share
  return out
}

async function slide(lines: number, isDark: boolean): Promise<Buffer> {
  const text = ['Boats that left: 41', 'Boats that came back: 38', 'Missing: nobody', 'Ask the girl'].slice(0, lines)
  const [paper, ink] = isDark ? ['#14213d', '#dddddd'] : ['#ffffff', '#223344']
  const bullets = text.map((line, i) => ({
    input: { text: { text: `<span foreground="${ink}">• ${line}</span>`, rgba: true, dpi: 150 } },
    left: 90,
    top: 120 + i * 70,
  }))
  const page = sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: paper as string } })
  return page.composite(bullets).removeAlpha().raw().toBuffer()
}
