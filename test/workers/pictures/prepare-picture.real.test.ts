import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { pages } from '../../../fixtures/index.ts'
import type { PreparedPicture, PreparePicture } from '../../../src/media/prepared-picture.ts'
import { instant } from '../../../src/units.ts'
import { preparePicture } from '../../../workers/pictures/prepare-picture.ts'
import { TempFolder } from '../../support/temp-folder.ts'
import { photograph, signpost } from './pictures.ts'

const folder = new TempFolder()
afterAll(() => folder[Symbol.dispose]())

const NOW = instant(Date.parse('2026-11-23T12:00:00Z'))
const OPTIONS: PreparePicture = {
  target: { provider: 'anthropic', model: 'claude-opus-5.5', detail: 'auto' },
  minXHeight: 8,
  crop: true,
  slices: false,
  ocr: false,
}

interface Made {
  result: PreparedPicture
  /** The first file that would be sent. */
  sent: Buffer
}

async function prepare(
  input: Buffer | string,
  wish: Partial<PreparePicture> = {},
  mostPixels = 40_000_000,
): Promise<Made> {
  const into = join(folder.path, randomUUID())
  mkdirSync(into)
  const path = typeof input === 'string' ? input : `${into}.in`
  if (typeof input !== 'string') await writeFile(path, input)
  const result = await preparePicture(path, into, { ...OPTIONS, ...wish }, { mostPixels, at: NOW })
  const [first] = result.pictures
  return { result, sent: first === undefined ? Buffer.alloc(0) : await readFile(join(into, first.file)) }
}

async function colourAt(picture: Sharp, x: number, y: number): Promise<number[]> {
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true })
  const at = (Math.round(y * (info.height - 1)) * info.width + Math.round(x * (info.width - 1))) * info.channels
  return [...data.subarray(at, at + 3)]
}

const isRed = ([r = 0, , b = 0]: number[]) => r > 150 && b < 100
const isBlue = ([r = 0, , b = 0]: number[]) => b > 150 && r < 100

describe('a picture made ready for a model', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('Q4 orientation %i comes out upright', async (orientation) => {
    // What a camera writes: the pixels turned the other way, and a mark that says how to turn them back.
    const undo: Record<number, readonly [quarters: number, mirror: boolean]> = {
      1: [0, false],
      2: [0, true],
      3: [2, false],
      4: [2, true],
      5: [1, true],
      6: [3, false],
      7: [3, true],
      8: [1, false],
    }
    const [quarters, mirror] = undo[orientation] as readonly [number, boolean]
    const rotated = sharp(
      await (await signpost())
        .rotate(quarters * 90)
        .png()
        .toBuffer(),
    )
    const turned = await rotated.flop(mirror).jpeg({ quality: 95 }).toBuffer()
    const { sent } = await prepare(await sharp(turned).withMetadata({ orientation }).jpeg({ quality: 95 }).toBuffer(), {
      crop: false,
    })
    expect((await sharp(sent).metadata()).orientation).toBeUndefined()
    expect(isRed(await colourAt(sharp(sent), 0.1, 0.9))).toBe(true)
    expect(isBlue(await colourAt(sharp(sent), 0.9, 0.9))).toBe(true)
    expect((await colourAt(sharp(sent), 0.5, 0.05)).every((value) => value > 230)).toBe(true)
  })

  test('Q4 no place, comment or profile goes along', async () => {
    const exif = { IFD0: { Copyright: 'SECRET' }, IFD3: { GPSLatitude: '51/1 30/1 0/1', GPSLatitudeRef: 'N' } }
    const marked = sharp(await photograph(900, 700))
      .withExif(exif)
      .withIccProfile('p3')
      .jpeg()
    const { sent } = await prepare(await marked.toBuffer())
    const found = await sharp(sent).metadata()
    expect([found.exif, found.icc, found.xmp, found.iptc]).toEqual([undefined, undefined, undefined, undefined])
    expect(sent.includes('SECRET')).toBe(false)
  })

  test('Q4 what hides behind a picture does not go along', async () => {
    const { sent } = await prepare(
      Buffer.concat([
        await sharp(await photograph(600, 400))
          .jpeg()
          .toBuffer(),
        Buffer.from('PK\x03\x04hidden'),
      ]),
    )
    expect(sent.includes('hidden')).toBe(false)
  })

  test('Q4 a page of text keeps an x-height of 8 px and loses its margins', async () => {
    const { result } = await prepare(pages.page.file)
    const [sent] = result.pictures
    expect(result.tokens).toBeLessThan(result.original.tokens * 0.6)
    expect(sent?.tokens).toBe(result.tokens)
    expect((sent?.width ?? 0) * (sent?.height ?? 0)).toBeLessThan(result.original.width * result.original.height * 0.4)
  })

  test.each(['#000', '#fff'])('Q4 text in %s on nothing stays visible', async (fill) => {
    const { sent } = await prepare(await boxOnNothing(fill), { crop: false })
    const [ink = 0] = await colourAt(sharp(sent), 0.5, 0.5)
    const [paper = 0] = await colourAt(sharp(sent), 0.02, 0.02)
    expect(Math.abs(ink - paper)).toBeGreaterThan(150)
  })

  test('Q4 CMYK and 16 bits come out as 8-bit sRGB', async () => {
    const picture = await photograph(500, 400)
    const inputs = [
      await sharp(picture).toColourspace('cmyk').jpeg().toBuffer(),
      await sharp(picture).toColourspace('rgb16').png().toBuffer(),
    ]
    for (const input of inputs) {
      const { sent } = await prepare(input)
      expect(await sharp(sent).metadata()).toMatchObject({ space: 'srgb', depth: 'uchar', channels: 3 })
    }
  })

  test('Q4 of an animation the first frame is taken, and the number of frames told', async () => {
    const frames = await Promise.all(['#f00', '#0f0', '#00f'].map((background) => solid(background).png().toBuffer()))
    const gif = await sharp(frames, { join: { animated: true } })
      .gif({ delay: [100, 100, 100] })
      .toBuffer()
    const { result, sent } = await prepare(gif, { crop: false })
    expect(result.original).toMatchObject({ pages: 3, width: 300, height: 200, format: 'gif' })
    expect(result.pictures).toHaveLength(1)
    expect(isRed(await colourAt(sharp(sent), 0.5, 0.5))).toBe(true)
  })

  test('Q4 a small photograph is left as it is, in fewer bytes', async () => {
    const { result, sent } = await prepare(await photograph(500, 400))
    expect(result).toMatchObject({ untouched: true, tokens: result.original.tokens })
    expect(result.pictures[0]).toMatchObject({ width: 500, height: 400, detail: null, bytes: sent.length })
    expect(sent.length).toBeLessThan(result.original.bytes / 4)
  })

  test('Q4 a provider that reads no WebP is sent JPEG or PNG', async () => {
    const target = { provider: 'local', model: 'llava', detail: 'auto' } as const
    expect((await prepare(await photograph(900, 700), { target })).result.pictures[0]?.mime).toBe('image/jpeg')
  })

  test('Q4 slices are files in reading order, each with its own tokens and detail', async () => {
    const target = { provider: 'openai', model: 'gpt-4o', detail: 'auto' } as const
    const large = await sharp(pages.page.file).resize(2_000, null, { kernel: 'nearest' }).png().toBuffer()
    const { result } = await prepare(large, { target, slices: true, minXHeight: 12 })
    expect(result.pictures.length).toBeGreaterThan(1)
    expect(result.pictures.map(({ detail }) => detail)).toContain('low')
    expect(result.pictures.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(result.tokens)
    expect(new Set(result.pictures.map(({ sha256 }) => sha256)).size).toBe(result.pictures.length)
  })

  test('Q4 a page that is nothing but text is read where the caller asks for it', async () => {
    const { result } = await prepare(pages.page.file, { ocr: true })
    expect(result.text?.startsWith(pages.page.text)).toBe(true)
    expect(result.pictures).toEqual([])
    expect(result.tokens).toBeLessThan(result.original.tokens)
  }, 120_000)

  test('Q4 a photograph is never read', async () => {
    expect((await prepare(await photograph(600, 500), { ocr: true })).result.text).toBeNull()
  })
})

describe('a hostile picture', () => {
  test('Q4 SVG is refused, whatever is in it', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    await expect(prepare(Buffer.from(svg))).rejects.toMatchObject({ code: 'unsupported_media' })
  })

  test('Q4 half a picture is corrupt, in every format', async () => {
    const whole = sharp(await photograph(500, 400))
    const inputs = [
      whole.clone().jpeg(),
      whole.clone().png(),
      whole.clone().webp(),
      whole.clone().tiff(),
      whole.clone().gif(),
    ]
    for (const input of inputs) {
      const data = await input.toBuffer()
      await expect(prepare(data.subarray(0, data.length / 2))).rejects.toMatchObject({ code: 'media_corrupt' })
    }
  })

  test('Q4 an empty file is corrupt, text and archives are no pictures', async () => {
    await expect(prepare(Buffer.alloc(0))).rejects.toMatchObject({ code: 'media_corrupt' })
    await expect(prepare(Buffer.from('PK\x03\x04 and more'))).rejects.toMatchObject({ code: 'unsupported_media' })
    await expect(prepare(Buffer.from('not a picture at all'))).rejects.toMatchObject({ code: 'unsupported_media' })
  })

  test('Q4 more pixels than are taken are refused by the header alone', async () => {
    const picture = await solid('#abc', 2_000, 2_000).png().toBuffer()
    await expect(prepare(picture, {}, 3_000_000)).rejects.toMatchObject({ code: 'pixel_limit' })
  })

  test('Q4 a progressive JPEG above 25 megapixels is refused: it would be held in memory whole', async () => {
    const large = await solid('#abc', 5_100, 5_000).jpeg({ progressive: true }).toBuffer()
    await expect(prepare(large)).rejects.toMatchObject({ code: 'pixel_limit' })
  })

  test('Q4 a strip keeps at least a pixel of height', async () => {
    const { result } = await prepare(await solid('#abc', 20_000, 2).png().toBuffer())
    expect(result.pictures[0]?.height).toBeGreaterThanOrEqual(1)
  })

  test('Q4 a name tells nothing: what counts is inside', async () => {
    const png = await photograph(300, 200)
    const path = join(folder.path, 'named.jpg')
    await writeFile(path, png)
    expect((await prepare(path)).result.original.format).toBe('png')
  })
})

function solid(background: string, width = 300, height = 200): Sharp {
  return sharp({ create: { width, height, channels: 3, background } })
}

async function boxOnNothing(fill: string): Promise<Buffer> {
  const input = await solid(fill, 200, 80).png().toBuffer()
  const nothing = sharp({
    create: { width: 400, height: 200, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
  })
  return nothing
    .composite([{ input, left: 100, top: 60 }])
    .png()
    .toBuffer()
}
