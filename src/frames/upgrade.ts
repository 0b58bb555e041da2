import { createHash, randomBytes } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { request as requestTls, Agent as TlsAgent } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'
import type { DoorConfig } from '../config/config.ts'
import type { Peer } from './peer.ts'
import { SocketPeer } from './socket-peer.ts'

/** RFC 6455, 1.3: what proves that the other side speaks WebSocket. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY = /^[+/0-9A-Za-z]{22}==$/
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}

/** `realtime` when offered, else `parley.v1`; never one that carries a key. */
export function selectProtocol(offered: ReadonlySet<string>): string | null {
  if (offered.has('realtime')) return 'realtime'
  return offered.has('parley.v1') ? 'parley.v1' : null
}

/**
 * Completes a caller's upgrade (RFC 6455, 4.2). The peer comes paused: clients may send as soon as they are connected, and
 * nobody is there yet to hear them. Null when the request is no proper upgrade: it has then been answered with an HTTP
 * status. No extension is ever accepted: base64 audio gains little from compression and pays for it in memory.
 */
export function acceptUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  door: DoorConfig,
  clock: Clock,
): Peer | null {
  const { headers } = request
  const key = headers['sec-websocket-key'] ?? ''
  if (request.method !== 'GET') return refuse(socket, 405, 'Method Not Allowed')
  if (headers.upgrade?.toLowerCase() !== 'websocket' || !KEY.test(key)) return refuse(socket, 400, 'Bad Request')
  if (headers['sec-websocket-version'] !== '13') {
    return refuse(socket, 426, 'Upgrade Required', 'Sec-WebSocket-Version: 13\r\n')
  }
  const offered = offeredProtocols(headers['sec-websocket-protocol'])
  if (offered === null) return refuse(socket, 400, 'Bad Request')
  if (!socket.readable || !socket.writable) {
    socket.destroy()
    return null
  }
  const protocol = selectProtocol(offered)
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptOf(key)}`,
    ...(protocol === null ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const { maxMessage, maxFragments } = door
  return new SocketPeer(socket, { role: 'server', bounds: { maxMessage, maxFragments }, clock, head })
}

/** Null for a list that is none (RFC 6455, 4.1: tokens, none twice). */
function offeredProtocols(header: string | undefined): ReadonlySet<string> | null {
  if (header === undefined) return new Set()
  const names = header.split(',').map((name) => name.trim())
  const offered = new Set(names)
  return offered.size === names.length && names.every((name) => TOKEN.test(name)) ? offered : null
}

function refuse(socket: Duplex, status: number, text: string, more = ''): null {
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n${more}\r\n`)
  return null
}

/** Why a dialled server gave no WebSocket. `status` is that of its HTTP answer; null when it gave none. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused'
  readonly status: number | null
  constructor(reason: string, status: number | null) {
    super(reason)
    this.status = status
  }
}

/** Bounds on what a dialled server may send; a provider's largest event is an item with its audio. */
const FROM_SERVERS = { maxMessage: 64 * 1_024 * 1_024, maxFragments: 4_096 }
const agents = { plain: new Agent({ keepAlive: false }), tls: new TlsAgent({ keepAlive: false }) }

/**
 * Dials a WebSocket server: `ws:`, `wss:`, or `ws+unix:<socket path>:<path>`. No redirects are followed and no extension is
 * offered. The peer comes paused. Rejects with UpgradeRefused; aborting hangs up.
 */
export function dialUpgrade(
  url: string,
  headers: Record<string, string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Peer> {
  const { promise, resolve, reject } = Promise.withResolvers<Peer>()
  const key = randomBytes(16).toString('base64')
  const { isSecure, ...target } = targetOf(url)
  const call = (isSecure ? requestTls : request)({
    ...target,
    agent: isSecure ? agents.tls : agents.plain,
    headers: {
      ...headers,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
    },
  })
  call.on('upgrade', (answer, socket, head) => {
    const isRight =
      answer.headers.upgrade?.toLowerCase() === 'websocket' &&
      answer.headers['sec-websocket-accept'] === acceptOf(key) &&
      answer.headers['sec-websocket-protocol'] === undefined &&
      answer.headers['sec-websocket-extensions'] === undefined
    if (!isRight) {
      socket.destroy()
      return reject(new UpgradeRefused('answered with no proper upgrade', null))
    }
    resolve(new SocketPeer(socket, { role: 'client', bounds: FROM_SERVERS, clock, head }))
  })
  call.on('response', (answer) => {
    answer.destroy()
    reject(new UpgradeRefused('answered with an HTTP status', answer.statusCode ?? null))
  })
  call.on('error', (cause) => reject(signal.aborted ? signal.reason : new UpgradeRefused(cause.message, null)))
  call.end()
  // Once the connection stands it is the peer's: the signal ends the dialling only.
  const abort = () => call.destroy(signal.reason)
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  return promise.finally(() => signal.removeEventListener('abort', abort))
}

function targetOf(url: string): { isSecure: boolean; socketPath?: string; host?: string; port?: string; path: string } {
  const unix = /^ws\+unix:([^:]+):(.*)$/.exec(url)
  if (unix !== null) return { isSecure: false, socketPath: unix[1] ?? '', path: unix[2] ?? '/' }
  const { protocol, hostname, port, pathname, search } = new URL(url)
  const isSecure = protocol === 'wss:'
  const host = hostname.replace(/^\[|\]$/g, '')
  return { isSecure, host, port: port === '' ? (isSecure ? '443' : '80') : port, path: pathname + search }
}
