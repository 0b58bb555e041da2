import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { idFrom, idTime, isId, newId } from '../../src/media/ids.ts'
import { instant } from '../../src/units.ts'

const times = fc.double({ min: 0, max: 2 ** 45, noNaN: true })

describe('ids', () => {
  test('Q1 sort as their times do, and tell them', () => {
    fc.assert(
      fc.property(times, times, (a, b) => {
        const [first, second] = [newId('job', instant(Math.min(a, b))), newId('job', instant(Math.max(a, b)))]
        expect(idTime('job', first)).toBe(Math.floor(Math.min(a, b)))
        if (Math.abs(a - b) > 0.001) expect(first < second).toBe(true)
      }),
    )
  })

  test('Q1 have the form that routes and the queue expect: 26 letters, never digits only, no colon', () => {
    const id = newId('file', instant(1_764_000_000_000.5))
    expect(id).toMatch(/^file_[0-9a-z]{26}$/)
    expect(isId('file', id)).toBe(true)
    expect(isId('job', id)).toBe(false)
    for (const wrong of ['', 'file_', `${id}a`, id.replace(/.$/, 'u'), id.replace('file_0', 'file_8'), `x${id}`]) {
      expect(isId('file', wrong), wrong).toBe(false)
      expect(idTime('file', wrong), wrong).toBe(null)
    }
  })

  test('Q1 are UUIDs of version 7, the same from the same bits', () => {
    // RFC 9562, appendix A.6: 017f22e2-79b0-7cc3-98c4-dc0c0c07398f
    const at = instant(0x017f22e279b0 + 0xcc3 / 4_096)
    const bits = Buffer.from('98c4dc0c0c07398f', 'hex')
    expect(idFrom('job', at, bits)).toBe('job_01fwhe4ydgfk1shh6w1g60eecf')
    expect(new Set(Array.from({ length: 1_000 }, () => newId('job', at))).size).toBe(1_000)
  })
})
