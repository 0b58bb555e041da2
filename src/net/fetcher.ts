import type { IncomingHttpHeaders } from 'node:http'
import { Client } from 'undici'
import type { Clock } from '../clock.ts'
import { FaultError } from '../faults.ts'
import { type Bytes, type Ms, ms, seconds } from '../units.ts'
import { type Dial, dialByTcp, openGuarded, type Resolve, resolveByDns, type SocketGuard } from './guarded-socket.ts'
import { HostSlots } from './host-slots.ts'
import { type OutboundUrl, outboundUrl, type UrlRules } from './outbound-url.ts'
import { addressRange } from './public-address.ts'
import { type Exchange, OutboundResponse } from './response.ts'
import { Stages } from './stages.ts'

/** What an operator decides about requests that leave the house: `outbound` in the policy file. */
export interface OutboundRules extends UrlRules {
  /** CIDR ranges that may be reached besides public addresses: for locked networks. */
  readonly allowPrivate: readonly string[]
  /** Certificates trusted in place of the public ones, PEM. */
  readonly ca?: string
}

export const PUBLIC_ONLY: OutboundRules = { allowHttp: false, ports: [], allowHosts: null, allowPrivate: [] }

export interface StageTimes {
  readonly dns: Ms
  readonly connect: Ms
  readonly tls: Ms
  readonly firstByte: Ms
  readonly idle: Ms
}

const TIMES: StageTimes = {
  dns: seconds(2),
  connect: seconds(3),
  tls: seconds(3),
  firstByte: seconds(10),
  idle: seconds(10),
}

export interface OutboundRequest {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** The body is cut here. */
  readonly maxBytes: Bytes
  /** Redirects followed, 0 to 3, and only for GET; one more is a failure. Zero hands a redirect out as the answer. */
  readonly redirects: 0 | 1 | 2 | 3
  /** For everything up to the last byte. Left out: 30 s and one second for every 64 KiB of `maxBytes`. */
  readonly total?: Ms
  readonly signal?: AbortSignal
}

/** Replaceable in tests, and nowhere else. */
export interface FetcherParts {
  readonly resolve?: Resolve
  readonly dial?: Dial
  readonly times?: Partial<StageTimes>
}

const USER_AGENT = 'Parley/1 (+outbound)'
const MOST_HEADER_BYTES = 16_384
const SLOWEST_BYTES_PER_SECOND = 65_536
/** What is still sent once a server has pointed somewhere else: nothing that could be a credential. */
const KEPT_ON_REDIRECT = ['accept', 'range']
const REDIRECTS = [301, 302, 303, 307, 308]

/**
 * The one way out for URLs that come from outside: media, pictures, webhooks (reference: hardening, the one outbound
 * fetcher). Deliberately absent: proxies from the environment, cookies, compression, kept-alive connections, redirects that
 * nobody looked at. Everything it throws is a FaultError, or the reason of the caller's own signal.
 */
export class Fetcher {
  readonly #rules: () => OutboundRules
  readonly #clock: Clock
  readonly #slots = new HostSlots()
  readonly #parts: FetcherParts

  /** `rules` is read for every request, so that a reload counts at once. */
  constructor(rules: () => OutboundRules, clock: Clock, parts: FetcherParts = {}) {
    this.#rules = rules
    this.#clock = clock
    this.#parts = parts
  }

  /**
   * Throws `url_not_allowed` for a URL or redirect that may not be fetched, `fetch_failed` when the server cannot be reached
   * or does not answer in time, `overloaded` when too many requests wait for its host. Any HTTP status is an answer.
   */
  async fetch(request: OutboundRequest): Promise<OutboundResponse> {
    const total = request.total ?? ms(30_000 + Math.ceil((request.maxBytes * 1_000) / SLOWEST_BYTES_PER_SECOND))
    const stages = new Stages(this.#clock, total, request.signal)
    try {
      return await this.#follow(request, stages)
    } catch (error) {
      stages[Symbol.dispose]()
      throw error
    }
  }

  async #follow(request: OutboundRequest, stages: Stages): Promise<OutboundResponse> {
    const rules = this.#rules()
    let target = outboundUrl(request.url, rules)
    let headers = request.headers ?? {}
    for (let hop = 0; ; hop++) {
      const answer = await this.#exchange(target, { ...request, headers }, rules, stages)
      const location = REDIRECTS.includes(answer.status) ? answer.headers.location : undefined
      if (location === undefined || request.redirects === 0 || request.method !== 'GET') {
        return new OutboundResponse(answer)
      }
      await answer.close()
      if (hop >= request.redirects) throw new FaultError('fetch_failed', 'too many redirects')
      const next = outboundUrl(URL.parse(location, target.url.href)?.href ?? location, rules)
      if (target.url.protocol === 'https:' && next.url.protocol !== 'https:') {
        throw new FaultError('url_not_allowed', 'a redirect led from https: to http:', { param: 'url' })
      }
      target = next
      headers = Object.fromEntries(
        Object.entries(headers).filter(([name]) => KEPT_ON_REDIRECT.includes(name.toLowerCase())),
      )
    }
  }

  /** One request on a connection of its own, which ends with it. */
  async #exchange(
    target: OutboundUrl,
    request: OutboundRequest,
    rules: OutboundRules,
    stages: Stages,
  ): Promise<Exchange> {
    const times = { ...TIMES, ...this.#parts.times }
    const guard: SocketGuard = {
      clock: this.#clock,
      allowPrivate: rules.allowPrivate.map(addressRange),
      resolve: this.#parts.resolve ?? resolveByDns,
      dial: this.#parts.dial ?? dialByTcp,
      ca: rules.ca,
      times,
    }
    await using held = new AsyncDisposableStack()
    stages.rest()
    held.use(await this.#slots.take(target.url.host, stages))
    const socket = await openGuarded(target, guard, stages)
    held.defer(() => void socket.destroy())
    let isTaken = false
    const client = new Client(target.url.origin, {
      // The checked socket, once: undici has no way to open another.
      connect: (_options, hand) => {
        if (isTaken) return hand(new Error('the connection is gone'), null)
        isTaken = true
        // Not before the client has noted the request: it expects a connection to take a while.
        setImmediate(() => hand(null, socket))
      },
      maxHeaderSize: MOST_HEADER_BYTES,
      allowH2: false,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    held.defer(() => client.destroy())
    stages.enter('the server took too long to answer', times.firstByte)
    const answer = await stages
      .race(
        client.request({
          path: target.url.pathname + target.url.search,
          method: request.method,
          headers: { ...lowerCase(request.headers ?? {}), 'user-agent': USER_AGENT, 'accept-encoding': 'identity' },
          body: request.body ?? null,
          reset: true,
        }),
      )
      .catch((cause: unknown) => {
        stages.signal.throwIfAborted()
        throw new FaultError('fetch_failed', `${target.host} gave no proper answer`, { cause })
      })
    stages.rest()
    // Destroying a body that nobody reads makes it emit an error that nobody awaits.
    answer.body.on('error', () => undefined)
    const all = held.move()
    const close = () => all.disposeAsync()
    stages.signal.addEventListener('abort', () => void close(), { once: true })
    return {
      url: target.url,
      status: answer.statusCode,
      headers: flat(answer.headers),
      chunks: answer.body,
      stages,
      idle: times.idle,
      maxBytes: request.maxBytes,
      close,
    }
  }
}

const lowerCase = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

const flat = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  )
