import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import { dice } from '../../fixtures/dice.ts'
import { openChromium } from '../../test/support/chromium.ts'
import { photograph } from '../../test/workers/pictures/pictures.ts'
import { drawnPages, type Page } from './pages.ts'

/** Photographs made beside the pages: 12 megapixels, a camera's half size, a small one. */
const PHOTOGRAPHS = [
  [4_032, 3_024],
  [3_024, 4_032],
  [1_920, 1_080],
  [1_800, 1_200],
  [640, 480],
] as const

/** No two in the same light. */
const TINTS = ['#f60', '#08f', '#2a4', '#a2c', '#cc4']

/** Draws pages with the machine's own Chromium, and something like photographs, into a folder. The same seed, the same set. */
export async function drawGallery(folder: string, seed: number): Promise<void> {
  const random = dice(seed)
  const browser = await openChromium()
  try {
    for (const drawn of drawnPages(seed)) {
      const page = await browser.newPage({
        viewport: { width: drawn.width, height: 300 },
        deviceScaleFactor: drawn.scale,
      })
      await page.setContent(drawn.html)
      // biome-ignore lint/performance/useDomNodeTextContent: what is seen counts, in the case it is seen in.
      const text = await page.locator('body').innerText()
      const png = await page.screenshot({ fullPage: true })
      await page.close()
      await save(folder, drawn, png, random)
      writeFileSync(join(folder, `${drawn.name}.gt.txt`), text)
    }
  } finally {
    await browser.close()
  }
  for (const [i, [width, height]] of PHOTOGRAPHS.entries()) {
    const taken = sharp(await photograph(width, height, seed + i)).tint(TINTS[i % TINTS.length] as string)
    const jpeg = await taken.jpeg({ quality: 92 }).toBuffer()
    writeFileSync(join(folder, `photograph-${width}x${height}.jpg`), jpeg)
  }
}

async function save(folder: string, { name, isScan }: Page, png: Buffer, random: () => number): Promise<void> {
  if (!isScan) return writeFileSync(join(folder, `${name}.png`), png)
  const slanted = await sharp(png)
    .flatten({ background: '#fff' })
    .rotate((random() - 0.5) * 1.5, { background: '#fff' })
    .blur(0.6)
    .linear(0.88, 14)
    .toBuffer({ resolveWithObject: true })
  const { width, height } = slanted.info
  const noise = { type: 'gaussian' as const, mean: 128, sigma: 8 }
  const grain = await sharp({ create: { width, height, channels: 3, background: '#808080', noise } })
    .png()
    .toBuffer()
  const scan = sharp(slanted.data).composite([{ input: grain, blend: 'soft-light' }])
  writeFileSync(join(folder, `${name}.jpg`), await scan.jpeg({ quality: 85 }).toBuffer())
}
