import sharp, { type Sharp } from 'sharp'
import { dice } from '../../../fixtures/dice.ts'

/** Something like a photograph, as PNG: shades at every scale, no lines of anything. */
export async function photograph(width: number, height: number, seed = 1): Promise<Buffer> {
  const random = dice(seed)
  const layers = [4, 16, 64, 256].map(async (cells) => {
    const side = Math.min(cells, width, height)
    const noise = Buffer.from(Array.from({ length: side * side * 3 }, () => Math.floor(random() * 256)))
    const raw = { width: side, height: side, channels: 3 as const }
    return sharp(noise, { raw }).resize(width, height, { fit: 'fill', kernel: 'cubic' }).raw().toBuffer()
  })
  const [base, ...others] = await Promise.all(layers)
  const out = Buffer.from(base as Buffer)
  for (let i = 0; i < out.length; i++) {
    const sum = others.reduce((all, layer) => all + (layer[i] as number), out[i] as number)
    out[i] = Math.round(sum / (others.length + 1))
  }
  return sharp(out, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer()
}

/** Left half red, right half blue, upper edge white: which way up it is can be seen at three pixels. */
export async function signpost(): Promise<Sharp> {
  const width = 600
  const height = 400
  const data = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = y < 80 ? [255, 255, 255] : x < width / 2 ? [220, 20, 20] : [20, 20, 220]
      data.set(colour, (y * width + x) * 3)
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
}
