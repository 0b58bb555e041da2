import { expect, test } from 'vitest'
import { Buffers } from '../../../workers/pictures/buffers.ts'

test('Q4 what a picture took is given back with it, and nothing that is shared with others', () => {
  const shared = new Uint8Array(16)
  const part = shared.subarray(4, 8)
  const whole = new Uint8Array(1_000)
  {
    using buffers = new Buffers()
    expect(buffers.keep(whole)).toBe(whole)
    buffers.keep(part)
    expect(whole.byteLength).toBe(1_000)
  }
  expect(whole.byteLength).toBe(0)
  expect(part.byteLength).toBe(4)
})
