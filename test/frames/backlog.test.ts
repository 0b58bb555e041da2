import { Duplex } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { SocketPeer } from '../../src/frames/socket-peer.ts'
import { bytes } from '../../src/units.ts'

/** A line whose other end takes everything at once, as the kernel does for a reader that keeps up. */
class OpenLine extends Duplex {
  taken = 0
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.taken += chunk.length
    done()
  }
}

describe('the backlog of a peer', () => {
  test('S6 one huge frame that is taken whole at once is told as drained, so that nobody waits for it for ever', async () => {
    const line = new OpenLine()
    const bounds = { maxMessage: bytes(1_048_576), maxFragments: 1 }
    const peer = new SocketPeer(line, { role: 'server', bounds, clock: systemClock, head: Buffer.alloc(0) })
    const { promise, resolve } = Promise.withResolvers<number>()
    const nothing = () => undefined
    peer.listen({
      message: nothing,
      binary: nothing,
      alive: nothing,
      closed: nothing,
      drained: () => resolve(peer.backlog),
    })
    peer.send('x'.repeat(4_194_304))
    expect(peer.backlog).toBeGreaterThan(4_194_304)
    expect(await promise).toBe(0)
    expect(line.taken).toBeGreaterThan(4_194_304)
  })
})
