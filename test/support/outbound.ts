import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { afterEach, expect } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Fetcher, type FetcherParts, type OutboundRequest, type OutboundRules } from '../../src/net/fetcher.ts'
import type { OutboundResponse } from '../../src/net/response.ts'
import { bytes } from '../../src/units.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Servers of the test that runs; closed when it is over. */
export const opened: Server[] = []
afterEach(async () => {
  for (const server of opened.splice(0)) {
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    if ('closeAllConnections' in server) (server as ReturnType<typeof createServer>).closeAllConnections()
    await promise
  }
})

export async function listening(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', () => resolve())
  await promise
  opened.push(server)
  return (server.address() as AddressInfo).port
}

export const serverOf = (handler: Handler) => listening(createServer(handler))

/** Takes connections and bytes, and counts both. */
export async function sink() {
  const seen = { connections: 0, bytes: 0 }
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>()
  const server = createTcpServer((socket) => {
    seen.connections++
    socket.on('data', (chunk) => {
      seen.bytes += chunk.length
    })
    socket.on('error', () => undefined)
    socket.on('close', () => onClose())
  })
  return { port: await listening(server), seen, closed }
}

export const names = (table: Record<string, string[]>): FetcherParts => ({
  resolve: async (host) => table[host] ?? Promise.reject(new Error('no such name')),
})

export function fetcher(
  port: number | readonly number[],
  rules: Partial<OutboundRules> = {},
  parts: FetcherParts = {},
): Fetcher {
  const ports = [port].flat()
  const all = { allowHttp: true, ports, allowHosts: null, allowPrivate: ['127.0.0.0/8'], ...rules }
  return new Fetcher(() => all, systemClock, parts)
}

export const get = (url: string, more: Partial<OutboundRequest> = {}): OutboundRequest => ({
  url,
  method: 'GET',
  maxBytes: bytes(1_000_000),
  redirects: 3,
  ...more,
})

export async function textOf(response: OutboundResponse): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of response.body()) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

export const fails = (code: string, message?: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message ?? /./) })
