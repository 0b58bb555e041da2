import { Resolver } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import { later, type Ms } from '../units.ts'
import type { OutboundUrl } from './outbound-url.ts'
import { type AddressRange, isReachable, isSameAddress } from './public-address.ts'
import type { Stages } from './stages.ts'

/** All addresses of a host name. Rejects when it has none. */
export type Resolve = (host: string, within: Ms) => Promise<readonly string[]>
/** Opens a TCP connection to an address; the socket connects later. */
export type Dial = (address: string, port: number) => Socket

export interface SocketGuard {
  readonly clock: Clock
  readonly allowPrivate: readonly AddressRange[]
  readonly resolve: Resolve
  readonly dial: Dial
  /** Certificates trusted besides the public ones, PEM. */
  readonly ca: string | undefined
  readonly times: { readonly dns: Ms; readonly connect: Ms; readonly tls: Ms }
}

/** A host may name many addresses; so many are tried, one after another. */
const MOST_TRIED = 3
const MOST_ADDRESSES = 64

/**
 * A connection to `target` that is known to lead to a reachable address, with TLS where the URL asks for it. The name is
 * resolved once and the connection goes to one of those very addresses, so a name that changes its mind gains nothing; the
 * peer's address is looked at again before a byte is written. Rejects with `url_not_allowed` or `fetch_failed`.
 */
export async function openGuarded(target: OutboundUrl, guard: SocketGuard, stages: Stages): Promise<Socket> {
  const addresses = await addressesOf(target.host, guard, stages)
  const socket = await firstThatConnects(addresses, target, guard, stages)
  if (target.url.protocol !== 'https:') return socket
  stages.enter('the TLS handshake took too long', guard.times.tls)
  return secure(socket, target.host, guard.ca, stages)
}

/** The host's own resolver library rather than the C library's: its queries can time out and hold no thread. */
export const resolveByDns: Resolve = async (host, within) => {
  const resolver = new Resolver({ timeout: within, tries: 1 })
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const failure = answers.find((answer) => answer.status === 'rejected')
  if (addresses.length === 0) throw failure?.reason ?? new Error('no addresses')
  return addresses
}

export const dialByTcp: Dial = (address, port) => connect({ host: address, port, autoSelectFamily: false })

async function addressesOf(host: string, guard: SocketGuard, stages: Stages): Promise<readonly string[]> {
  if (isIP(host) !== 0) {
    if (!isReachable(host, guard.allowPrivate)) throw notPublic()
    return [host]
  }
  stages.enter('looking up the host took too long', guard.times.dns)
  const addresses = await stages.race(guard.resolve(host, guard.times.dns)).catch((cause: unknown) => {
    if (stages.signal.aborted) throw stages.signal.reason
    throw new FaultError('fetch_failed', `the host ${host} was not found`, { cause })
  })
  if (addresses.length === 0 || addresses.length > MOST_ADDRESSES) {
    throw new FaultError('fetch_failed', `the host ${host} has no usable set of addresses`)
  }
  // One address that is not public condemns the name: it would be a coin toss which of them is dialled.
  if (!addresses.every((address) => isReachable(address, guard.allowPrivate))) throw notPublic()
  return addresses
}

/** Never says which address it was: that would map the network for whoever asks. */
const notPublic = () => new FaultError('url_not_allowed', 'the host is not a public one', { param: 'url' })

async function firstThatConnects(
  addresses: readonly string[],
  target: OutboundUrl,
  guard: SocketGuard,
  stages: Stages,
): Promise<Socket> {
  // Each address has its own limit, below, so that one that swallows packets leaves time for the next.
  stages.rest()
  let cause: unknown
  for (const address of addresses.slice(0, MOST_TRIED)) {
    const socket = guard.dial(address, target.port)
    // A socket without a listener would end the process; whoever reads or writes it learns of the error by itself.
    socket.on('error', () => undefined)
    try {
      await connected(socket, guard, stages)
    } catch (error) {
      socket.destroy()
      stages.signal.throwIfAborted()
      cause = error
      continue
    }
    const peer = socket.remoteAddress ?? ''
    if (isSameAddress(peer, address) && isReachable(peer, guard.allowPrivate)) return socket
    socket.destroy()
    throw notPublic()
  }
  throw new FaultError('fetch_failed', `the host ${target.host} could not be reached`, { cause })
}

async function connected(socket: Socket, guard: SocketGuard, stages: Stages): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const limit = guard.times.connect
  socket.once('connect', resolve)
  socket.once('error', reject)
  using _alarm = guard.clock.at(later(guard.clock.now(), limit), () => reject(new Error(`no answer in ${limit} ms`)))
  await stages.race(promise)
}

async function secure(socket: Socket, host: string, ca: string | undefined, stages: Stages): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // An address has no place in SNI (RFC 6066, 3); the certificate is then checked against the address itself.
  const servername = isIP(host) === 0 ? host : ''
  const secured = connectTls({
    socket,
    host,
    servername,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
  })
  secured.once('secureConnect', resolve)
  secured.on('error', reject)
  secured.once('close', () => reject(new Error('closed during the handshake')))
  try {
    await stages.race(promise)
    return secured
  } catch (cause) {
    secured.destroy()
    socket.destroy()
    stages.signal.throwIfAborted()
    throw new FaultError('fetch_failed', `no secure connection to ${host}`, { cause })
  }
}
