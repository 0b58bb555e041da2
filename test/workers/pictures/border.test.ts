import { describe, expect, test } from 'vitest'
import { contentOf, NOISE } from '../../../workers/pictures/border.ts'

/** A picture of one grey with a box of another in it. */
function drawn(width: number, height: number, box: { left: number; top: number; width: number; height: number }) {
  const data = Buffer.alloc(width * height * 3, 240)
  for (let y = box.top; y < box.top + box.height; y++)
    data.fill(20, (y * width + box.left) * 3, (y * width + box.left + box.width) * 3)
  return { data, width, height }
}

describe('the even border of a picture', () => {
  test('Q4 what is left has a margin of 1 %', () => {
    const content = contentOf(drawn(400, 300, { left: 100, top: 50, width: 200, height: 100 }), NOISE.picture)
    expect(content).toEqual({ left: 98, top: 48, width: 204, height: 104 })
  })

  test('Q4 a picture of one colour has no border', () => {
    expect(contentOf(drawn(400, 300, { left: 0, top: 0, width: 0, height: 0 }), NOISE.page)).toBeNull()
  })

  test('Q4 a picture that reaches its edges is left as it is', () => {
    expect(contentOf(drawn(400, 300, { left: 0, top: 0, width: 200, height: 300 }), NOISE.page)).toBeNull()
    const busy = drawn(400, 300, { left: 0, top: 0, width: 0, height: 0 })
    for (let i = 0; i < busy.data.length; i++) busy.data[i] = (i * 7_919) % 251
    expect(contentOf(busy, NOISE.page)).toBeNull()
  })

  test('Q4 a border within a border goes too: a page on a dark table', () => {
    const table = drawn(400, 300, { left: 0, top: 0, width: 400, height: 300 })
    for (let y = 40; y < 260; y++) table.data.fill(235, (y * 400 + 60) * 3, (y * 400 + 340) * 3)
    for (let y = 100; y < 200; y++) table.data.fill(90, (y * 400 + 150) * 3, (y * 400 + 250) * 3)
    expect(contentOf(table, NOISE.page)).toMatchObject({ left: 149, top: 99, width: 102, height: 102 })
  })

  test('Q4 the noise of a scan is more than a picture may have in its border', () => {
    const noisy = drawn(400, 300, { left: 100, top: 50, width: 200, height: 100 })
    for (let i = 0; i < noisy.data.length; i++) noisy.data[i] = (noisy.data[i] as number) + ((i * 7_919) % 31) - 15
    expect(contentOf(noisy, NOISE.page)).not.toBeNull()
    expect(contentOf(noisy, NOISE.picture)).toBeNull()
  })

  test('Q4 noise and dust are border, a page number is not', () => {
    const noisy = drawn(400, 300, { left: 100, top: 50, width: 200, height: 100 })
    for (let i = 0; i < noisy.data.length; i++) noisy.data[i] = (noisy.data[i] as number) + ((i * 7_919) % 17) - 8
    noisy.data.fill(0, (250 * 400 + 30) * 3, (250 * 400 + 31) * 3)
    expect(contentOf(noisy, NOISE.page)).toEqual({ left: 98, top: 48, width: 204, height: 104 })
    for (let y = 280; y < 290; y++) noisy.data.fill(10, (y * 400 + 200) * 3, (y * 400 + 206) * 3)
    expect(contentOf(noisy, NOISE.page)).toMatchObject({ top: 47, height: 246 })
  })

  test('Q4 a side bar and an empty page that run on below the last line are border', () => {
    const screen = drawn(400, 300, { left: 0, top: 0, width: 90, height: 300 })
    for (let y = 20; y < 100; y += 4) screen.data.fill(60, (y * 400 + 100) * 3, (y * 400 + 380) * 3)
    expect(contentOf(screen, NOISE.picture)).toMatchObject({ left: 87, top: 17, height: 83 })
  })

  test('Q4 a sky that grows paler is none', () => {
    const sky = drawn(400, 300, { left: 0, top: 0, width: 0, height: 0 })
    for (let y = 0; y < 300; y++)
      for (let x = 0; x < 400; x++) sky.data.fill(60 + x / 4 + y / 8, (y * 400 + x) * 3, (y * 400 + x + 1) * 3)
    expect(contentOf(sky, NOISE.picture)).toBeNull()
  })

  test('Q4 the bars of a chart are none', () => {
    const chart = drawn(400, 300, { left: 0, top: 0, width: 0, height: 0 })
    for (let bar = 0; bar < 8; bar++)
      for (let y = 20 + bar * 10; y < 300; y++)
        chart.data.fill(30, (y * 400 + 10 + bar * 48) * 3, (y * 400 + 40 + bar * 48) * 3)
    expect(contentOf(chart, NOISE.picture)).toMatchObject({ top: 16, height: 284 })
  })
})
