import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { propagation, ROOT_CONTEXT } from '@opentelemetry/api'
import { authenticate, type Credentials, credentialsOf } from '../../auth/authenticate.ts'
import type { ClientSecrets } from '../../auth/client-secrets.ts'
import { normalOrigin } from '../../auth/origin.ts'
import { requireScope } from '../../auth/scopes.ts'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { FaultError, toFault } from '../../faults.ts'
import type { Peer } from '../../frames/peer.ts'
import { acceptUpgrade } from '../../frames/upgrade.ts'
import type { Log } from '../../log.ts'
import type { Metrics } from '../../metrics.ts'
import { shortened } from '../../session/policy.ts'
import type { Nodes } from '../../store/nodes.ts'
import { RELEASED, type SessionRecord, type SessionRecords } from '../../store/session-records.ts'
import { ms } from '../../units.ts'
import { endFault } from '../live/dismissal.ts'
import type { Directory } from '../node/directory.ts'
import type { RecordKeeper } from '../node/record-keeper.ts'
import { AddressLimits } from './address-limits.ts'
import type { Admission, TurnedAway, Wish } from './admission.ts'
import { clientAddress } from './client-address.ts'
import { Refusals } from './refusals.ts'
import { hashToken, sessionOfToken } from './resume-token.ts'
import { RELAYED_HEADER, splice } from './splice.ts'

export interface DoorDeps {
  config(): Config
  clock: Clock
  log: Log
  metrics: Metrics
  secrets: ClientSecrets
  records: SessionRecords
  keeper: RecordKeeper
  nodes: Nodes
  directory: Directory
  admission: Admission
}

/** One upgrade on its way in. */
interface Visit {
  request: IncomingMessage
  socket: Duplex
  head: Buffer
  address: string
  credentials: Credentials
  wish: Wish
  /** Number of the last frame a returning caller has seen. */
  seen: number
}

/** OpenAI's path, and Azure's for the same protocol. */
const PATHS: ReadonlySet<string> = new Set(['/v1/realtime', '/openai/v1/realtime'])

/**
 * The live door: everything between an HTTP upgrade and a running session. Abuse is refused by HTTP status before the
 * upgrade; everything a client should hear the reason of is told after it, in OpenAI's own way.
 */
export class Door {
  readonly #deps: DoorDeps
  readonly #refusals: Refusals
  readonly #addresses = new AddressLimits()
  /** Visits that have led to a session or a refusal not yet. */
  readonly #arriving = new Set<Promise<void>>()
  #isDraining = false

  constructor(deps: DoorDeps) {
    this.#deps = deps
    this.#refusals = new Refusals(deps.clock)
  }

  /** No new sessions from now on. */
  close(): void {
    this.#isDraining = true
    this.#refusals.release()
  }

  /** Resolves once everybody who had come before the door was closed is in or refused. */
  async settled(): Promise<void> {
    while (this.#arriving.size > 0) await Promise.all(this.#arriving)
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const { clock, log } = this.#deps
    const { door } = this.#deps.config()
    const url = URL.parse(`http://door${request.url ?? '/'}`)
    if (url === null || !PATHS.has(tidyPath(url.pathname))) return refuseHttp(socket, 404, 'Not Found')
    if (this.#isDraining) return refuseHttp(socket, 503, 'Service Unavailable', 2)
    const address = clientAddress(request, door.trustedProxies)
    const place = this.#addresses.enter(address, door, clock.now())
    if (place === null) return refuseHttp(socket, 429, 'Too Many Requests', 1)
    socket.on('close', () => place[Symbol.dispose]())
    const visit: Visit = {
      request,
      socket,
      head,
      address,
      credentials: credentialsOf(request.headers),
      wish: wishOf(url, request),
      seen: Number(url.searchParams.get('resume_from') ?? 0),
    }
    this.#follow(
      this.#receive(visit).catch((error: unknown) => {
        log.error({ err: error }, 'the door failed')
        socket.destroy()
      }),
    )
  }

  #follow(arrival: Promise<void>): void {
    this.#arriving.add(arrival)
    void arrival.then(() => this.#arriving.delete(arrival))
  }

  async #receive(visit: Visit): Promise<void> {
    const { value } = visit.credentials
    const sessionId = value === null ? null : sessionOfToken(value)
    if (value !== null && sessionId !== null) return this.#returning(visit, value, sessionId)
    const { config, secrets, clock, admission } = this.#deps
    try {
      const principal = await authenticate(config(), secrets, visit.credentials, clock.now())
      requireScope(principal, 'realtime')
      const judged = admission.judge(principal, visit.wish)
      // Last, so that a caller told to come back later can.
      if (principal.secret !== null && value !== null) await secrets.take(value)
      this.#accept(visit, async (peer) => admission.start(peer, principal, visit.wish, judged, this.#slowly(visit)))
    } catch (error) {
      this.#refuse(visit, error)
    }
  }

  // ---- callers who come back ----

  async #returning(visit: Visit, token: string, sessionId: string): Promise<void> {
    const here = this.#deps.directory.find(sessionId)
    const hash = hashToken(token)
    try {
      if (!Number.isSafeInteger(visit.seen) || visit.seen < 0) {
        throw new FaultError('invalid_request', 'resume_from must be a whole number.', { param: 'resume_from' })
      }
      if (here !== null) {
        requireSameOrigin(here.head.origin, visit.wish.origin)
        if (!here.take(hash, visit.seen)) throw unknownSession()
        this.#deps.metrics.resumed.inc({ found: 'here' })
        const isIn = this.#accept(visit, async (peer) => {
          if (!(await here.resume(peer, visit.seen))) throw unknownSession()
        })
        if (!isIn) here.stayedAway()
        return
      }
      await this.#elsewhere(visit, hash, sessionId)
    } catch (error) {
      this.#refuse(visit, error)
    }
  }

  async #elsewhere(visit: Visit, hash: string, sessionId: string): Promise<void> {
    const { records, keeper, nodes, metrics, admission, clock } = this.#deps
    const record = await records.read(sessionId).catch(storeIsAway)
    if (record === null) throw unknownSession()
    if (record.phase === 'ended') throw this.#endOf(record)
    requireSameOrigin(record.head.origin, visit.wish.origin)
    this.#requireKey(record)
    const url = record.owner === RELEASED ? null : await nodes.find(record.owner).catch(storeIsAway)
    if (url !== null) {
      if (record.owner === nodes.id) throw unknownSession()
      // At this address a node was killed and this one started: until the lease of that one is out, it may still live.
      if (visit.request.headers[RELAYED_HEADER] !== undefined) throw ownerAway()
      metrics.resumed.inc({ found: 'elsewhere' })
      if (await splice(visit.request, visit.socket, visit.head, url, visit.address)) return
      throw ownerAway()
    }
    if (clock.now() >= record.head.admitted + record.head.maxDuration) throw unknownSession()
    const window = record.head.resumeWindow ?? 0
    // The record is as old as its last change; a node that died did so after its last beat, and up to a lease before
    // anybody could know.
    const lastSign = Math.max(record.updated, (await nodes.lastBeat(record.owner).catch(storeIsAway)) ?? 0)
    if (clock.now() - lastSign > window + LEASE_GRACE_MS) throw unknownSession()
    if (!admission.canCarryOn(record)) throw unknownSession()
    const next = randomHash()
    const giveBack = () => void keeper.owe(sessionId, () => records.giveBack(sessionId, next, hash))
    const claimed = await records.claim(sessionId, record.owner, hash, next).catch((cause: unknown) => {
      giveBack()
      return storeIsAway(cause)
    })
    if (!claimed) throw unknownSession()
    metrics.resumed.inc({ found: 'orphaned' })
    const isIn = this.#accept(visit, async (peer) =>
      admission.carryOn(peer, record, visit.seen, hash, this.#slowly(visit)),
    )
    // A caller that is gone again before it was in comes back with the token it has.
    if (!isIn) giveBack()
  }

  /** The key behind a session must still be good when its caller comes back. */
  #requireKey(record: SessionRecord): void {
    const tenant = this.#deps.config().tenants.get(record.head.tenant)
    if (tenant?.suspended === true) throw new FaultError('tenant_suspended', 'This account is suspended.')
    if (tenant?.keys.some((key) => key.id === record.head.keyId) !== true) {
      throw new FaultError('invalid_api_key', 'The key of this session is not valid any more.')
    }
  }

  #endOf(record: SessionRecord): FaultError {
    const plan = this.#deps.config().plans.get(record.head.plan)
    const fault =
      plan === undefined || record.reason === null
        ? null
        : endFault(record.reason, shortened(plan.session, ms(record.head.maxDuration)))
    return fault === null || record.reason === 'going_away' ? unknownSession() : fault
  }

  // ---- in or out ----

  /** False for a visitor that is gone again, or whose request was no proper upgrade. */
  #accept(visit: Visit, then: (peer: Peer) => Promise<void>): boolean {
    const peer = this.#upgrade(visit)
    if (peer !== null) this.#follow(then(peer).catch((error: unknown) => this.#tell(visit, peer, error)))
    return peer !== null
  }

  #upgrade({ request, socket, head }: Visit): Peer | null {
    return acceptUpgrade(request, socket, head, this.#deps.config().door, this.#deps.clock)
  }

  #refuse(visit: Visit, error: unknown): void {
    if (error instanceof FaultError && error.code === 'origin_not_allowed') {
      this.#deps.metrics.refused.inc({ code: error.code })
      return refuseHttp(visit.socket, 403, 'Forbidden')
    }
    const peer = this.#upgrade(visit)
    if (peer !== null) this.#tell(visit, peer, error)
  }

  #slowly(visit: Visit): TurnedAway {
    const caller = callerOf(visit)
    return (peer) => this.#refusals.leaving(peer, caller)
  }

  #tell(visit: Visit, peer: Peer, error: unknown): void {
    const { log, metrics, config, clock } = this.#deps
    const fault = toFault(error)
    if (!(error instanceof FaultError)) log.error({ err: error }, 'admission failed')
    if (fault.code === 'invalid_api_key') this.#addresses.failed(visit.address, config().door, clock.now())
    metrics.refused.inc({ code: fault.code })
    log.info({ code: fault.code }, 'connection refused')
    this.#refusals.refuse(peer, fault, callerOf(visit))
  }
}

/** How much longer than its window a session of a dead node stays open to its caller: a lease, and the clocks' slack. */
const LEASE_GRACE_MS = 15_000

/** Base URLs that end in a slash make clients ask for `/v1//realtime`; others end the path with one. */
function tidyPath(path: string): string {
  return path.replace(/\/{2,}/g, '/').replace(/\/$/, '')
}

function wishOf(url: URL, request: IncomingMessage): Wish {
  const offered = String(request.headers['sec-websocket-protocol'] ?? '')
  return {
    // Clients that leave a parameter empty mean that they have none to give.
    model: url.searchParams.get('model') || null,
    intent: url.searchParams.get('intent') || null,
    speaksParley: url.searchParams.get('parley') === '1' || /(^|,)\s*parley\.v1\s*(,|$)/.test(offered),
    origin: request.headers.origin ?? null,
    trace: propagation.extract(ROOT_CONTEXT, request.headers),
  }
}

function requireSameOrigin(then: string | null, now: string | null): void {
  if (then === null || normalOrigin(then) === normalOrigin(now)) return
  throw new FaultError('origin_not_allowed', 'This page may not continue the session.')
}

function unknownSession(): FaultError {
  return new FaultError('session_not_found', 'The session is not known, is over, or has been resumed already.')
}

/** The token stays good: whoever comes back in a moment finds the session here, there or taken over. */
function ownerAway(): FaultError {
  return new FaultError('overloaded', 'The server that holds this session cannot be reached.', { retryAfterMs: 2_000 })
}

function storeIsAway(cause: unknown): never {
  throw new FaultError('store_unavailable', 'Sessions cannot be looked up right now.', { cause, retryAfterMs: 2_000 })
}

function randomHash(): string {
  return randomBytes(32).toString('hex')
}

/** Tells callers apart without keeping what they showed. */
function callerOf({ address, credentials }: Visit): string {
  return `${address} ${fingerprint(credentials.value)}`
}

function fingerprint(value: string | null): string {
  return value === null ? '-' : createHash('sha256').update(value).digest('base64url').slice(0, 12)
}

function refuseHttp(socket: Duplex, status: number, text: string, retryAfterSeconds?: number): void {
  const retry = retryAfterSeconds === undefined ? '' : `Retry-After: ${retryAfterSeconds}\r\n`
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n${retry}\r\n`)
}
