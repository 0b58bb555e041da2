import sharp from 'sharp'
import { expect, test } from 'vitest'
import { encodeWithin } from '../../../workers/pictures/encode.ts'
import { photograph } from './pictures.ts'

const MANNER = { formats: ['jpeg'], xHeight: null, isDrawn: false, isQuick: false } as const
const picture = await photograph(600, 400)
const open = () => sharp(picture)
const bytesWithin = async (asItCame: number | null, most: number | null) =>
  (await encodeWithin(open, MANNER, { asItCame, most })).data.length

test('Q4 a picture that would be too many bytes for the provider is sent rougher, or not at all', async () => {
  const usual = await bytesWithin(null, null)
  const rough = await bytesWithin(null, usual - 1)
  expect(rough).toBeLessThan(usual)
  await expect(bytesWithin(null, rough - 1)).rejects.toMatchObject({ code: 'media_refused' })
})

test('Q4 where neither tokens nor bytes are saved no quality is lost, within what the provider takes', async () => {
  const usual = await bytesWithin(null, null)
  expect(await bytesWithin(usual, null)).toBeGreaterThan(usual)
  expect(await bytesWithin(usual + 1, null)).toBe(usual)
  expect(await bytesWithin(usual, usual)).toBe(usual)
})

test('Q4 letters of few pixels keep more of them', async () => {
  const sent = async (xHeight: number) =>
    (await encodeWithin(open, { ...MANNER, formats: ['webp'], xHeight }, { asItCame: null, most: null })).data.length
  expect(await sent(6)).toBeGreaterThan(await sent(8))
})
