import { describe, expect, test } from 'vitest'
import { Refusals } from '../../src/broker/entry/refusals.ts'
import { FaultError } from '../../src/faults.ts'
import type { Message, Peer, PeerListener } from '../../src/frames/peer.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** A connection that writes down what was done to it. */
class Line implements Peer {
  readonly backlog = 0
  isOpen = true
  readonly sent: string[] = []
  closedWith: number | null = null
  listener: PeerListener | null = null

  listen(listener: PeerListener): void {
    this.listener = listener
  }

  forward({ text }: Message): void {
    this.send(text)
  }

  send(message: Buffer | string): void {
    this.sent.push(message.toString())
  }

  pause(): void {}
  resume(): void {}
  readOut(): void {}
  ping(): void {}

  close(code: number): void {
    this.isOpen = false
    this.closedWith = code
  }

  terminate(): void {
    this.isOpen = false
  }
}

const fault = new FaultError('model_not_found', 'No such model.')

describe('refusals', () => {
  test('W4 the reason comes when every client listens, the close a moment later', () => {
    const clock = new ManualClock()
    const line = new Line()
    new Refusals(clock).refuse(line, fault, 'a')
    // In one packet with the upgrade, one known client would miss it and come back for ever.
    expect(line.sent).toEqual([])
    clock.pass(50)
    expect(line.sent.length).toBe(1)
    expect(JSON.parse(line.sent[0] ?? '')).toMatchObject({ type: 'error', error: { code: 'model_not_found' } })
    clock.pass(199)
    expect(line.closedWith).toBeNull()
    clock.pass(1)
    expect(line.closedWith).toBe(4000)
    expect(line.sent.length).toBe(1)
  })

  test('W4 each further refusal is held twice as long, up to 30 s; another caller and a calmer one start afresh', () => {
    const clock = new ManualClock()
    const refusals = new Refusals(clock)
    const heldFor = (caller: string) => {
      const line = new Line()
      const begun = clock.now()
      refusals.refuse(line, fault, caller)
      while (line.closedWith === null) clock.pass(10)
      return clock.now() - begun
    }
    const holds = Array.from({ length: 9 }, () => heldFor('a'))
    expect(holds).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    expect(heldFor('b')).toBe(250)
    clock.pass(61_000)
    expect(heldFor('a')).toBe(250)
  })

  test("W4 many at once, as one server's sessions are when a provider drops, wait alike and not one after another", () => {
    const clock = new ManualClock()
    const refusals = new Refusals(clock)
    const lines = Array.from({ length: 50 }, () => new Line())
    for (const line of lines) refusals.refuse(line, fault, 'a')
    clock.pass(250)
    expect(lines.filter((line) => line.closedWith === null)).toEqual([])
  })

  test('W4 a session that never was is let go the same way, with what its end says', () => {
    const clock = new ManualClock()
    const line = new Line()
    const leaving = new Refusals(clock).leaving(line, 'a')
    leaving.send('the reason')
    leaving.close(4104, '')
    expect(line.sent).toEqual(['the reason'])
    clock.pass(249)
    expect(line.closedWith).toBeNull()
    clock.pass(1)
    expect(line.closedWith).toBe(4104)
  })

  test('S7 at the end of the node everybody is told and let go at once, and nobody is held any more', () => {
    const clock = new ManualClock()
    const refusals = new Refusals(clock)
    const [held, late] = [new Line(), new Line()]
    refusals.refuse(held, fault, 'a')
    refusals.release()
    expect([held.sent.length, held.closedWith]).toEqual([1, 4000])
    refusals.refuse(late, fault, 'a')
    expect([late.sent.length, late.closedWith]).toEqual([1, 4000])
    clock.pass(60_000)
    expect([held.sent.length, late.sent.length]).toEqual([1, 1])
  })

  test('W4 a caller that has gone by itself is told nothing more', () => {
    const clock = new ManualClock()
    const line = new Line()
    new Refusals(clock).refuse(line, fault, 'a')
    line.listener?.closed(1006, '')
    clock.pass(60_000)
    expect(line.closedWith).toBeNull()
  })
})
