import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'
import { type PageFixture, pages } from '../../../fixtures/index.ts'
import type { Pixels } from '../../../workers/pictures/decoder.ts'
import { isBusy } from '../../../workers/pictures/even.ts'
import { findText, mayHoldText } from '../../../workers/pictures/find-text.ts'
import { type Grey, greyOf } from '../../../workers/pictures/grey.ts'
import { photograph } from './pictures.ts'

async function samplesOf(picture: Sharp): Promise<Pixels> {
  const { data, info } = await picture.toColourspace('srgb').removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height }
}

async function greyFrom(picture: Sharp): Promise<Grey> {
  const { data, width, height } = await samplesOf(picture)
  return greyOf(data, width, height)
}

describe('text in a picture', () => {
  test.each(Object.entries(pages))(
    'Q4 the x-height of %s is found within a fifth, rather too small than too large',
    async (_, page: PageFixture) => {
      const found = findText(await greyFrom(sharp(page.file)))
      expect(found?.isPage).toBe(true)
      expect((found?.xHeight ?? 0) / page.xHeight).toBeGreaterThan(0.8)
      expect((found?.xHeight ?? 0) / page.xHeight).toBeLessThan(1.1)
    },
  )

  test('Q4 a page that lies on its side is a page', async () => {
    const found = findText(await greyFrom(sharp(pages.page.file).rotate(90)))
    expect((found?.xHeight ?? 0) / pages.page.xHeight).toBeGreaterThan(0.87)
  })

  test('Q4 a scan that is slanted, blurred and noisy is a page', async () => {
    const scan = await sharp(pages.page.file)
      .toColourspace('srgb')
      .rotate(1.2, { background: '#fff' })
      .blur(0.7)
      .toBuffer()
    const found = findText(await greyFrom(sharp(await sharp(scan).linear(0.8, 30).jpeg({ quality: 60 }).toBuffer())))
    expect(found?.isPage).toBe(true)
  })

  test('Q4 a photograph is no page, however busy it is', async () => {
    const busy = await greyFrom(sharp(await photograph(1_200, 900)))
    expect(findText(busy)).toBeNull()
    expect(mayHoldText(busy)).toBe(false)
  })

  test.each([0, 90])('Q4 a page is suspected even in a glance that is too small to read, turned by %i°', async (by) => {
    const glance = await sharp(pages.page.file).resize(420).toBuffer()
    expect(mayHoldText(await greyFrom(sharp(glance).rotate(by)))).toBe(true)
  })

  test('Q4 a sky is not, however even it is: nothing in it stands in a row', async () => {
    const sky = (y: number) => 120 + (y >> 3)
    const data = Uint8Array.from({ length: 784 * 588 }, (_, i) => {
      const x = i % 784
      const y = Math.floor(i / 784)
      return y > 470 + 40 * Math.sin(x / 60) ? 40 : sky(y)
    })
    expect(mayHoldText({ data, width: 784, height: 588 })).toBe(false)
  })

  test('Q4 a photograph that is busy all over has no place for print, a page in the middle of it has', async () => {
    const page = await sharp(pages.page.file).resize(300).png().toBuffer()
    const busy = await photograph(784, 588)
    const both = await sharp(busy)
      .composite([{ input: page }])
      .png()
      .toBuffer()
    expect(isBusy(await samplesOf(sharp(busy)))).toBe(true)
    expect(isBusy(await samplesOf(sharp(both)))).toBe(false)
    expect(mayHoldText(await greyFrom(sharp(both)))).toBe(true)
  })
})
