import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'

/** Marks an upgrade that another node has passed on, so that it is not passed on for ever. */
export const RELAYED_HEADER = 'x-parley-relayed'

/**
 * Joins a caller's socket to the node that owns its session, below the WebSocket: bytes both ways, nothing read. Resolves
 * to false, with the caller's socket untouched, when the owner cannot be reached.
 */
export function splice(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  ownerUrl: string,
  address: string,
): Promise<boolean> {
  const url = new URL(ownerUrl)
  const secure = url.protocol === 'https:'
  const port = Number(url.port) || (secure ? 443 : 80)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const owner = secure
    ? connectTls({ host: url.hostname, port, servername: url.hostname })
    : connect(port, url.hostname)
  let isJoined = false
  owner.setTimeout(CONNECT_TIMEOUT_MS, () => owner.destroy())
  owner.once(secure ? 'secureConnect' : 'connect', () => {
    isJoined = true
    owner.setTimeout(0)
    owner.write(upgradeText(request, address))
    if (head.length > 0) owner.write(head)
    socket.pipe(owner)
    owner.pipe(socket)
    resolve(true)
  })
  owner.on('error', () => owner.destroy())
  owner.on('close', () => {
    if (isJoined) socket.destroy()
    else resolve(false)
  })
  socket.on('error', () => socket.destroy())
  socket.on('close', () => owner.destroy())
  return promise
}

const CONNECT_TIMEOUT_MS = 3_000

function upgradeText(request: IncomingMessage, address: string): string {
  const lines = [`${request.method} ${request.url} HTTP/1.1`]
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? ''
    const lower = name.toLowerCase()
    if (lower !== 'x-forwarded-for' && lower !== RELAYED_HEADER) lines.push(`${name}: ${request.rawHeaders[i + 1]}`)
  }
  lines.push(`X-Forwarded-For: ${address}`, `${RELAYED_HEADER}: 1`)
  return `${lines.join('\r\n')}\r\n\r\n`
}
