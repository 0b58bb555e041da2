import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

/** Frames of RFC 6455 with anything in them: every opcode, flag and length form, masked or not, whole or cut short. */
const rawFrame = fc
  .record({
    first: fc.integer({ min: 0, max: 255 }),
    masked: fc.boolean(),
    form: fc.constantFrom('short', 'medium', 'long', 'lie'),
    payload: fc.uint8Array({ maxLength: 300 }),
    cut: fc.integer({ min: 0, max: 400 }),
  })
  .map(({ first, masked, form, payload, cut }) => {
    const mask = masked ? 0x80 : 0
    const lengths = {
      short: Buffer.from([mask | Math.min(payload.length, 125)]),
      medium: Buffer.from([mask | 126, payload.length >> 8, payload.length & 255]),
      long: Buffer.concat([
        Buffer.from([mask | 127, 0, 0, 0, 0, 0, 0]),
        Buffer.from([payload.length >> 8, payload.length & 255]),
      ]),
      lie: Buffer.from([mask | 127, 255, 255, 255, 255, 255, 255, 255, 255]),
    }
    const frame = Buffer.concat([Buffer.from([first]), lengths[form], Buffer.alloc(masked ? 4 : 0, 7), payload])
    return frame.subarray(0, Math.max(1, frame.length - (cut > 300 ? cut - 300 : 0)))
  })

/** Events that are none, or are so only at first sight. */
const rawEvent = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)),
  fc
    .record({
      type: fc.oneof(
        fc.constantFrom(
          'session.update',
          'response.create',
          'conversation.item.create',
          'input_audio_buffer.append',
          'parley.ack',
          'conversation.item.truncate',
        ),
        fc.jsonValue({ maxDepth: 1 }),
      ),
      session: fc.jsonValue({ maxDepth: 3 }),
      response: fc.jsonValue({ maxDepth: 3 }),
      item: fc.jsonValue({ maxDepth: 3 }),
      audio: fc.jsonValue({ maxDepth: 1 }),
      event_id: fc.jsonValue({ maxDepth: 1 }),
    })
    .map((value) => JSON.stringify(value)),
  fc.integer({ min: 1, max: 2_000 }).map((depth) => `{"type":"x","a":${'['.repeat(depth)}`),
)

function handshake(url: string, key: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  const { promise, resolve } = Promise.withResolvers<Socket>()
  socket.once('data', () => resolve(socket))
  socket.once('close', () => resolve(socket))
  const lines = [
    'GET /v1/realtime?model=gpt-realtime HTTP/1.1',
    `Host: ${hostname}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Authorization: Bearer ${key}`,
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  return promise
}

describe('garbage', () => {
  test('S6 10,000 broken frames and events beside 20 healthy sessions: nobody else notices', {
    timeout: 90_000,
  }, async () => {
    await using upstream = await RawUpstream.start()
    await using parley = await Parley.start({
      provider: upstream.baseUrl,
      policy: { plans: { default: { session: { idle: null } } } },
    })
    const healthy = await Promise.all(Array.from({ length: 20 }, () => Caller.connect(parley.door(), demo.key)))
    const echoes = upstream.sockets.slice(0, 20)
    for (const socket of echoes) socket.on('message', (data) => socket.send(data.toString()))
    let beats = 0
    const beating = setInterval(() => {
      beats++
      for (const [i, caller] of healthy.entries()) caller.send({ type: 'x.beat', i, beats })
    }, 20)

    const broken = fc.sample(rawFrame, 5_000)
    const events = fc.sample(rawEvent, 5_000)
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    // Most raw frames break their connection, as they must: each goes on at a new one.
    for (let at = 0; at < broken.length; ) {
      const socket = await handshake(parley.url, demo.key)
      const { promise: over, resolve } = Promise.withResolvers<void>()
      socket.once('close', () => resolve())
      socket.resume()
      for (let i = 0; i < 50 && at < broken.length; i++) socket.write(broken[at++] as Buffer)
      socket.end()
      await over
    }
    for (let at = 0; at < events.length; ) {
      using caller = await Caller.connect(parley.door(), demo.key)
      for (let i = 0; i < 500 && at < events.length; i++) caller.send(events[at++] as string)
      caller.send('[]')
      await caller.until((event) => event.type === 'error' || event.type.startsWith('x')).catch(() => undefined)
      caller.socket.close()
      await caller.closed()
    }
    clearInterval(beating)
    for (const caller of healthy) await caller.until((event) => event.beats === beats)
    for (const [i, caller] of healthy.entries()) {
      expect(caller.closure).toBeNull()
      expect(caller.of('x.beat').map((event) => event.beats)).toEqual(Array.from({ length: beats }, (_, n) => n + 1))
      expect(caller.of('x.beat').every((event) => event.i === i)).toBe(true)
      caller[Symbol.dispose]()
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * 1024 * 1024)
    expect((await fetch(`${parley.url}/readyz`)).status).toBe(200)
  })
})
