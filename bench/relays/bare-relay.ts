import { createServer, type IncomingMessage } from 'node:http'
import WebSocket, { WebSocketServer } from 'ws'

// The yardstick: what a good engineer writes in an hour with `ws`, and no more. Tuned: bufferutil, no compression, no
// UTF-8 check, no copies of its own. Forwards whole messages both ways without a look at them; no limits, no backpressure.
const [port, upstreamPort] = process.argv.slice(2).map(Number)
const COMMON = { perMessageDeflate: false, skipUTF8Validation: true, maxPayload: 64 * 1_024 * 1_024 } as const
const server = createServer()
const doors = new WebSocketServer({ ...COMMON, server, clientTracking: false })

doors.on('connection', (caller: WebSocket, request: IncomingMessage) => {
  const provider = new WebSocket(`ws://127.0.0.1:${upstreamPort}${request.url}`, COMMON)
  const early: { data: Buffer; isBinary: boolean }[] = []
  caller.on('message', (data: Buffer, isBinary: boolean) => {
    if (provider.readyState === WebSocket.OPEN) provider.send(data, { binary: isBinary })
    else early.push({ data, isBinary })
  })
  provider.on('open', () => {
    for (const { data, isBinary } of early.splice(0)) provider.send(data, { binary: isBinary })
  })
  provider.on('message', (data: Buffer, isBinary: boolean) => caller.send(data, { binary: isBinary }))
  caller.on('close', () => provider.close())
  provider.on('close', () => caller.close())
  caller.on('error', () => provider.terminate())
  provider.on('error', () => caller.terminate())
})
server.listen({ port, host: '127.0.0.1', backlog: 4_096 })
