import { PassThrough, type Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as ws from 'ws'
import { FrameError, makeFrame, OPCODE } from '../../src/frames/frame.ts'
import { FrameReader, type Received } from '../../src/frames/frame-reader.ts'

const bounds = { maxMessage: 100_000, maxFragments: 16 }

/** Cuts bytes into pieces of the given lengths, again and again, as TCP may. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] as number
    // A copy: the reader takes masks off where the bytes lie.
    pieces.push(Buffer.from(bytes.subarray(at, at + length)))
    at += length
  }
  return pieces
}

function readAll(from: 'client' | 'server', pieces: Buffer[]): { received: string[]; code: number | null } {
  const reader = new FrameReader(from, bounds)
  const received: string[] = []
  const note = (r: Received) => {
    const content = r.kind === 'text' ? r.text : r.payload
    received.push(`${r.kind} ${content.toString('base64')}`)
  }
  try {
    for (const piece of pieces) {
      reader.push(piece)
      for (let r = reader.next(); r !== null; r = reader.next()) note(r)
      expect(reader.isEmpty).toBe(true)
    }
    return { received, code: null }
  } catch (error) {
    if (!(error instanceof FrameError)) throw error
    return { received, code: error.code }
  }
}

/** The package's own frame reader, which its types leave out. */
const { Receiver } = ws as unknown as { Receiver: new (options: object) => Writable }

/** What the `ws` package makes of the same bytes. */
async function readByWs(pieces: Buffer[]): Promise<{ received: string[]; code: number | null }> {
  const receiver = new Receiver({ isServer: true, maxPayload: bounds.maxMessage, maxFragments: 16 })
  const received: string[] = []
  let code: number | null = null
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    received.push(`${isBinary ? 'binary' : 'text'} ${data.toString('base64')}`),
  )
  receiver.on('ping', (data: Buffer) => received.push(`ping ${data.toString('base64')}`))
  receiver.on('pong', (data: Buffer) => received.push(`pong ${data.toString('base64')}`))
  receiver.on('conclude', () => received.push('close'))
  receiver.on('error', (error: Error) => {
    code = (Reflect.get(error, Object.getOwnPropertySymbols(error)[0] as symbol) as number | undefined) ?? 1006
  })
  const feed = new PassThrough()
  feed.pipe(receiver)
  for (const piece of pieces) feed.write(piece)
  feed.end()
  const { promise, resolve } = Promise.withResolvers<void>()
  receiver.once('close', () => resolve())
  await promise
  return { received, code }
}

/** One frame, right or wrong: opcode, flags, mask and length as they come. */
const anyFrame = fc
  .record({
    opcode: fc.constantFrom(0, 0, 1, 1, 1, 2, 9, 10, 3, 11),
    fin: fc.boolean(),
    reserved: fc.constantFrom(0, 0, 0, 0, 0, 0x40),
    masked: fc.constantFrom(true, true, true, true, false),
    payload: fc.oneof(
      fc.string({ maxLength: 80 }).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 140 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(130, 65_600).map((length) => Buffer.alloc(length, 'a')),
    ),
  })
  .map(({ opcode, fin, reserved, masked, payload }) => {
    const frame = makeFrame(opcode, payload, masked)
    frame[0] = (fin ? 0x80 : 0) | reserved | opcode
    return frame
  })

describe('walking frames', () => {
  test('W2 what one side frames the other reads, however the bytes are cut', () => {
    const message = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.constantFrom(0, 125, 126, 127, 65_535, 65_536).map((length) => 'x'.repeat(length)),
    )
    const lengths = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), lengths, fc.boolean(), (messages, pieces, masked) => {
        const texts = messages.map((text) => Buffer.from(text, 'utf8'))
        const bytes = Buffer.concat(texts.map((text) => makeFrame(OPCODE.text, text, masked)))
        const read = readAll(masked ? 'client' : 'server', cut(bytes, pieces))
        expect(read).toEqual({ received: texts.map((text) => `text ${text.toString('base64')}`), code: null })
      }),
    )
  })

  test('W2 a short frame is handed out with its last byte, wherever it is cut', () => {
    for (const masked of [false, true]) {
      for (const length of [0, 1, 2, 125, 126, 127]) {
        const payload = Buffer.alloc(length, 'a')
        const whole = makeFrame(OPCODE.text, payload, masked)
        for (let first = 1; first < whole.length; first++) {
          const read = readAll(masked ? 'client' : 'server', cut(whole, [first, whole.length - first]))
          expect(read, `${length} cut at ${first}`).toEqual({
            received: [`text ${payload.toString('base64')}`],
            code: null,
          })
        }
      }
    }
  })

  test('S6 any sequence of frames means what it means to the ws package, errors and their codes included', async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(anyFrame, { minLength: 1, maxLength: 12 }), lengths, async (frames, pieces) => {
        const bytes = Buffer.concat(frames)
        const ours = readAll('client', cut(bytes, pieces))
        const theirs = await readByWs(cut(bytes, pieces))
        // ws may deliver what lies before the fault later than the fault itself; a fault is what counts then.
        expect(ours.code).toEqual(theirs.code)
        if (ours.code === null) expect(ours.received).toEqual(theirs.received)
      }),
      { numRuns: 300 },
    )
  })

  test('S6 a length that lies is refused at its header, not waited for', () => {
    const header = Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4])
    expect(readAll('client', [header]).code).toBe(1009)
  })

  test('S6 a message in more pieces than allowed is refused', () => {
    const first = makeFrame(OPCODE.text, Buffer.from('a'), true)
    first[0] = OPCODE.text
    const pieces = Array.from({ length: 16 }, () => {
      const piece = makeFrame(OPCODE.continuation, Buffer.from('a'), true)
      piece[0] = OPCODE.continuation
      return piece
    })
    expect(readAll('client', [first, ...pieces]).code).toBe(1008)
    expect(
      readAll(
        'client',
        [first, ...pieces.slice(0, 15)].map((p) => Buffer.from(p)),
      ).code,
    ).toBe(null)
  })

  test('S6 one frame in pieces of one byte takes memory for what has come, not for what was announced', () => {
    const reader = new FrameReader('client', { maxMessage: 50_000_000, maxFragments: 4 })
    const frame = makeFrame(OPCODE.text, Buffer.alloc(40_000_000, 'a'), true)
    const before = process.memoryUsage().arrayBuffers
    for (let at = 0; at < 2_000; at++) {
      reader.push(Buffer.from(frame.subarray(at, at + 1)))
      expect(reader.next()).toBeNull()
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  })
})
