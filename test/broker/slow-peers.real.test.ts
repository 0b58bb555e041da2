import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

describe('slow and silent peers', () => {
  let upstream: RawUpstream
  let parley: Parley
  beforeEach(async () => {
    upstream = await RawUpstream.start()
    parley = await Parley.start({
      provider: upstream.baseUrl,
      policy: {
        door: {
          slowReader: '2s',
          pingEvery: '1s',
          messagesPerSecond: 100_000,
          messageBurst: 100_000,
          bytesPerSecond: '1GiB',
          byteBurst: '1GiB',
        },
      },
    })
  })
  afterEach(async () => {
    await parley[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })

  test('S6 a reader that stalls pauses the provider, and is cut when it stays slow; memory stays bounded', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.socket.pause()
    const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external
    const padding = 'x'.repeat(64 * 1024)
    // 64 MiB, as fast as the provider's own socket takes them.
    let sent = 0
    const push = () => {
      while (sent < 1_000 && upstream.socket.bufferedAmount < 1024 * 1024) {
        upstream.send({ type: 'x.big', n: sent++, padding })
      }
      if (sent < 1_000 && upstream.socket.readyState === upstream.socket.OPEN) setImmediate(push)
    }
    push()
    await once(upstream.socket, 'close')
    expect(sent).toBeLessThan(400)
    const grown = process.memoryUsage().arrayBuffers + process.memoryUsage().external - before
    expect(grown).toBeLessThan(32 * 1024 * 1024)
    caller.socket.resume()
    expect((await caller.closed()).code).toBe(1006)
  })

  test('S6 a provider that stalls pauses the caller, and nothing is lost when it reads again', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    upstream.socket.pause()
    const padding = 'x'.repeat(16 * 1024)
    for (let n = 0; n < 1_000; n++) caller.send({ type: 'x.big', n, padding })
    for (let i = 0; i < 200; i++) await new Promise(setImmediate)
    expect(caller.socket.bufferedAmount).toBeGreaterThan(1024 * 1024)
    upstream.socket.resume()
    await upstream.until(() => upstream.received.length === 1_000)
    expect(upstream.received.map((frame) => JSON.parse(frame).n)).toEqual(Array.from({ length: 1_000 }, (_, n) => n))
  })

  test('S6 a caller that answers no ping is gone', async () => {
    const { hostname, port } = new URL(parley.url)
    const socket: Socket = connect(Number(port), hostname)
    socket.write(
      [
        'GET /v1/realtime?model=gpt-realtime HTTP/1.1',
        `Host: ${hostname}:${port}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        `Authorization: Bearer ${demo.key}`,
        '',
        '',
      ].join('\r\n'),
    )
    await upstream.until(() => upstream.sockets.length === 1)
    await once(upstream.socket, 'close')
    socket.destroy()
  })

  test('S6 a provider that answers no ping is lost, and the caller is told', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    // A paused socket neither reads pings nor answers them.
    upstream.socket.pause()
    const { code } = await caller.closed()
    expect(code).toBe(4104)
    expect(caller.of('error')).toMatchObject([{ error: { code: 'upstream_lost' } }])
  })

  test('S6 a provider that is asked for a response and says nothing for 15 s is lost', {
    timeout: 40_000,
  }, async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.send({ type: 'response.create' })
    await upstream.until(() => upstream.received.some((frame) => frame.includes('response.create')))
    expect((await caller.closed()).code).toBe(4104)
    expect(caller.of('error')).toMatchObject([{ error: { code: 'upstream_lost' } }])
  })

  test("S6 frames beyond the door's size are refused with 1009", async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    caller.send({ type: 'input_audio_buffer.append', audio: 'A'.repeat(2 * 1024 * 1024) })
    expect((await caller.closed()).code).toBe(1009)
  })
})
