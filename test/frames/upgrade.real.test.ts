import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'

/** What the door answers to a request, as text, until it closes or has switched protocols. */
function ask(url: string, head: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const { promise, resolve } = Promise.withResolvers<string>()
  let answer = ''
  socket.on('data', (data) => {
    answer += data.toString('latin1')
    if (answer.includes('\r\n\r\n')) resolve(answer)
  })
  socket.on('close', () => resolve(answer))
  socket.on('error', () => resolve(answer))
  socket.write(head)
  return promise.finally(() => socket.destroy())
}

const request = (changes: Record<string, string | null> = {}, method = 'GET') => {
  const headers: Record<string, string | null> = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    Authorization: `Bearer ${demo.key}`,
    ...changes,
  }
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]))
  return `${method} /v1/realtime?model=gpt-realtime HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}

describe('the handshake', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start()
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  test("W1 the answer proves itself with RFC 6455's own example", async () => {
    const answer = await ask(parley.url, request())
    expect(answer).toMatch(/^HTTP\/1\.1 101 /)
    expect(answer).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(answer).not.toMatch(/Sec-WebSocket-(Protocol|Extensions)/i)
  })

  test.each([
    ['another method', request({}, 'POST'), 405],
    ['no key', request({ 'Sec-WebSocket-Key': null }), 400],
    ['a key of the wrong length', request({ 'Sec-WebSocket-Key': 'c2hvcnQ=' }), 400],
    ['another protocol', request({ Upgrade: 'h2c' }), 400],
    ['an old version', request({ 'Sec-WebSocket-Version': '8' }), 426],
    ['a subprotocol twice', request({ 'Sec-WebSocket-Protocol': 'realtime, realtime' }), 400],
    ['a subprotocol that is no token', request({ 'Sec-WebSocket-Protocol': 'real time' }), 400],
  ])('W4 %s is answered by its HTTP status', async (_, head, status) => {
    expect(await ask(parley.url, head)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })

  test('W1 compression may be offered and is never used', async () => {
    using caller = await Caller.connect(parley.door(), demo.key, { perMessageDeflate: true })
    expect(caller.socket.extensions).toBe('')
    expect((await caller.ask('say: hello')).type).toBe('response.done')
  })

  test('S6 pings are answered in kind; a flood of them by a client that reads nothing is not', async () => {
    using caller = await Caller.connect(parley.door(), demo.key)
    const { promise, resolve } = Promise.withResolvers<string>()
    caller.socket.once('pong', (data) => resolve(data.toString()))
    caller.socket.ping('still there?')
    expect(await promise).toBe('still there?')
    caller.socket.pause()
    for (let i = 0; i < 50_000; i++) caller.socket.ping('x'.repeat(125))
    using other = await Caller.connect(parley.door(), demo.key)
    expect((await other.ask('say: hello')).type).toBe('response.done')
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(100_000_000)
  })

  test('W4 a close is answered with its own code, and a code that may not be sent with 1002', async () => {
    using polite = await Caller.connect(parley.door(), demo.key)
    polite.socket.close(4321, 'bye')
    expect(await polite.closed()).toMatchObject({ code: 4321 })
    using rude = await Caller.connect(parley.door(), demo.key)
    const closeFrame = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed])
    ;(rude.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(closeFrame)
    expect(await rude.closed()).toMatchObject({ code: 1002 })
  })
})
