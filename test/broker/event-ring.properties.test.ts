import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventRing } from '../../src/broker/lines/event-ring.ts'
import type { Message } from '../../src/frames/peer.ts'
import { bytes, instant, ms } from '../../src/units.ts'

/** Every other one as it came in a frame. */
const message = (length: number, filler: number): Message => {
  const text = Buffer.alloc(length, filler)
  if (filler % 2 === 0) return { text, frame: null }
  const frame = Buffer.concat([Buffer.from('head'), text])
  return { text: frame.subarray(4), frame }
}

describe('the event ring', () => {
  test('S5 gives back every frame after the last one seen, in order, or says which are gone', () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant('push' as const),
        length: fc.integer({ min: 1, max: 400 }),
        after: fc.integer({ min: 0, max: 3_000 }),
      }),
      fc.record({ do: fc.constant('acknowledge' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(20), (steps, first) => {
        const ring = new EventRing(() => bytes(2_000), ms(10_000), first)
        const sent: Message[] = []
        let now = 0
        let acknowledged = first
        for (const s of steps) {
          if (s.do === 'push') {
            now += s.after
            const frame = message(s.length, sent.length % 251)
            sent.push(frame)
            ring.push(frame, instant(now))
            // What it came in is somebody else's, too.
            for (const part of [frame.frame, frame.text]) part?.fill(0)
            sent[sent.length - 1] = message(s.length, (sent.length - 1) % 251)
          } else {
            acknowledged = Math.max(acknowledged, first + Math.floor(s.share * sent.length))
            ring.acknowledge(acknowledged)
          }
          expect(ring.size).toBeLessThanOrEqual(2_000)
        }
        const newest = first + sent.length
        expect(ring.seq).toBe(newest)
        for (let seen = acknowledged; seen <= newest; seen++) {
          const replay = ring.since(seen)
          const lost = replay?.gap === null || replay === null ? 0 : replay.gap.to - replay.gap.from + 1
          if (replay?.gap) expect(replay.gap.from).toBe(seen + 1)
          expect(replay?.frames).toEqual(sent.slice(seen - first + lost))
        }
        expect(ring.since(newest + 1)).toBeNull()
        expect(ring.since(-1)).toBeNull()
      }),
    )
  })

  test('S5 nothing that fits is ever lost', () => {
    const ring = new EventRing(() => bytes(1_000), ms(60_000))
    for (let i = 0; i < 10; i++) ring.push(message(100, i), instant(i))
    expect(ring.since(0)?.gap).toBeNull()
    expect(ring.since(0)?.frames.length).toBe(10)
    expect(ring.isFullFor(1)).toBe(true)
  })
})
