import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

/**
 * Where a request comes from: the socket's address, or, behind proxies that are trusted, the right-most address of
 * `X-Forwarded-For` that is none of theirs.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: readonly string[]): string {
  let address = plain(request.socket.remoteAddress ?? '')
  if (!isTrusted(address, trustedProxies)) return address
  const hops = String(request.headers['x-forwarded-for'] ?? '').split(',')
  for (const hop of hops.reverse()) {
    const candidate = hop.trim()
    if (!ipaddr.isValid(candidate)) return address
    address = plain(candidate)
    if (!isTrusted(address, trustedProxies)) return address
  }
  return address
}

function isTrusted(address: string, ranges: readonly string[]): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return ranges.some((range) => {
    const [network, bits] = ipaddr.parseCIDR(range)
    return network.kind() === parsed.kind() && parsed.match(network, bits)
  })
}

function plain(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address
}
