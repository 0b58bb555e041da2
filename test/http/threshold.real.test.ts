import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { demo, Parley } from '../support/parley.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}

/** Sends a request the moment the port takes connections; resolves with the first line of the answer. */
async function first(port: number, path: string, headers: string[]): Promise<string> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    if (!isOpen) continue
    socket.write([`GET ${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...headers, '', ''].join('\r\n'))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return answer.toString().split('\r\n', 1)[0] ?? ''
  }
}

test('R1 whoever comes as soon as the port is open is answered once the node is whole', async () => {
  const port = await freePort()
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13']
  const who = ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', `Authorization: Bearer ${demo.key}`]
  const early = [
    first(port, '/v1/realtime?model=gpt-realtime', [...upgrade, ...who]),
    first(port, '/healthz', ['Connection: close']),
  ]
  await using _parley = await Parley.start({ policy: { listeners: [{ port }] } })
  expect(await Promise.all(early)).toEqual(['HTTP/1.1 101 Switching Protocols', 'HTTP/1.1 200 OK'])
})
