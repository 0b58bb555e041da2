import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { watchSender } from '../../src/http/slow-senders.ts'
import { ManualClock } from '../support/manual-clock.ts'

describe('slow senders', () => {
  /** A server that reads what comes, and a request to it whose body has only begun. */
  async function stage(path: string, stack: AsyncDisposableStack) {
    const clock = new ManualClock()
    let taken = 0
    const progress = { bytes: () => taken }
    const server = createServer((request, response) => {
      watchSender(request, clock)
      request.on('data', (chunk: Buffer) => {
        taken += chunk.length
      })
      request.on('end', () => response.end('done'))
      request.on('error', () => undefined)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    stack.defer(() => void server.close())
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    stack.defer(() => void socket.destroy())
    socket.on('error', () => undefined)
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n`)
    const send = async (bytes: number) => {
      const before = progress.bytes()
      socket.write(Buffer.alloc(bytes))
      while (progress.bytes() < before + bytes) await new Promise(setImmediate)
    }
    await send(10)
    return { clock, socket, send }
  }
  const isOpen = async (socket: Socket) => {
    // What was decided about it has arrived after some turns of both loops.
    for (let i = 0; i < 50; i++) await new Promise(setImmediate)
    return !socket.destroyed && socket.readyState === 'open'
  }

  test('S6 a JSON body has a minute to come, however busily it does', async () => {
    await using stack = new AsyncDisposableStack()
    const { clock, socket, send } = await stage('/v1/jobs', stack)
    clock.pass(59_000)
    await send(1_000_000)
    expect(await isOpen(socket)).toBe(true)
    const closed = once(socket, 'close')
    clock.pass(1_001)
    await closed
  })

  test('S6 media may take longer, as long as enough of it comes', async () => {
    await using stack = new AsyncDisposableStack()
    const { clock, socket, send } = await stage('/v1/files?purpose=media', stack)
    for (let i = 0; i < 5; i++) {
      await send(500_000)
      clock.pass(30_000)
      expect(await isOpen(socket)).toBe(true)
    }
    await send(100_000)
    const closed = once(socket, 'close')
    clock.pass(30_000)
    await closed
  })
})
