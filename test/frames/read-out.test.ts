import { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { makeFrame, OPCODE } from '../../src/frames/frame.ts'
import { SocketPeer } from '../../src/frames/socket-peer.ts'

/** A line that says what it is told to. */
class Line extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    done()
  }

  /** One read from the socket, in memory of its own; resolves once it has been taken. */
  async says(bytes: Buffer): Promise<Buffer> {
    const chunk = Buffer.from(new Uint8Array(bytes).buffer)
    this.push(chunk)
    await new Promise(setImmediate)
    return chunk
  }
}

const frame = (length: number, letter: string) => makeFrame(OPCODE.text, Buffer.alloc(length, letter), false)

function listeningTo(line: Line): { peer: SocketPeer; heard: string[]; closed: number[] } {
  const bounds = { maxMessage: 1_048_576, maxFragments: 4 }
  const peer = new SocketPeer(line, { role: 'client', bounds, clock: systemClock, head: Buffer.alloc(0) })
  const heard: string[] = []
  const closed: number[] = []
  const nothing = () => undefined
  peer.listen({
    message: ({ text }) => heard.push(text.toString()),
    binary: nothing,
    alive: nothing,
    drained: nothing,
    closed: (code) => closed.push(code),
  })
  peer.resume()
  return { peer, heard, closed }
}

describe('a line that is still', () => {
  const letter = (length: number) => frame(length, 'a')
  test.each([
    ['one frame', [letter(3_000)]],
    ['two frames in one read', [Buffer.concat([letter(10), letter(3_000)])]],
    ['a frame that spans reads', [letter(3_000).subarray(0, 1_000), letter(3_000).subarray(1_000)]],
    ['a frame and the beginning of the next', [Buffer.concat([letter(3_000), letter(10).subarray(0, 5)])]],
  ])('S6 keeps nothing of what it has handed out: %s', async (_name, reads) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const line = new Line()
    const { peer, heard } = listeningTo(line)
    const chunks: WeakRef<Buffer>[] = []
    for (const read of reads) await line.says(read).then((chunk) => chunks.push(new WeakRef(chunk)))
    await new Promise(setImmediate)
    collect()
    expect(heard.length).toBeGreaterThan(0)
    expect(chunks.map((chunk) => chunk.deref()?.length)).toEqual(reads.map(() => undefined))
    peer.terminate()
  })
})

describe('a line that is read out', () => {
  test('S6 gives back the memory of every read at once, but of none that came before', async () => {
    const line = new Line()
    const { peer, heard } = listeningTo(line)
    const kept = await line.says(frame(3_000, 'a'))
    peer.readOut(100_000)
    const given = await line.says(frame(4_000, 'b'))
    expect([kept.length, given.length]).toEqual([3_004, 0])
    expect(heard).toEqual(['a'.repeat(3_000), 'b'.repeat(4_000)])
    peer.terminate()
  })

  test('S6 frames that span reads still come whole and in order', async () => {
    const line = new Line()
    const { peer, heard } = listeningTo(line)
    const lengths = [70_000, 3, 900, 66_000, 1, 20_000, 20_000, 0, 130]
    const bytes = Buffer.concat(lengths.map((length, i) => frame(length, String(i))))
    await line.says(bytes.subarray(0, 10_000))
    peer.readOut(bytes.length)
    for (let at = 10_000; at < bytes.length; at += 16_384) await line.says(bytes.subarray(at, at + 16_384))
    expect(heard).toEqual(lengths.map((length, i) => String(i).repeat(length)))
    peer.terminate()
  })

  test('S6 is dropped once more has come than it may say, and not a byte before', async () => {
    const line = new Line()
    const { peer, heard, closed } = listeningTo(line)
    const bytes = frame(996, 'x')
    await line.says(bytes)
    peer.readOut(3_000)
    for (let i = 0; i < 3; i++) await line.says(bytes)
    expect({ heard: heard.length, closed }).toEqual({ heard: 4, closed: [] })
    await line.says(Buffer.from([0x81]))
    expect({ heard: heard.length, closed, isOpen: peer.isOpen }).toEqual({ heard: 4, closed: [1006], isOpen: false })
  })
})
