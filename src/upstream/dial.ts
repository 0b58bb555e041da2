import type { Clock } from '../clock.ts'
import type { DialConfig } from '../config/config.ts'
import type { Message, Peer } from '../frames/peer.ts'
import { dialUpgrade, UpgradeRefused } from '../frames/upgrade.ts'
import { later, type Ms, ms } from '../units.ts'
import type { DialTarget } from './provider.ts'

/** Why one attempt came to nothing. `again`: the same provider may answer a later one. No secrets, no bodies. */
export class DialFailure extends Error {
  override readonly name = 'DialFailure'
  readonly again: boolean
  constructor(reason: string, again: boolean) {
    super(reason)
    this.again = again
  }
}

/** `error.code` of a provider's first event: trouble of ours with the provider that another provider may not have. */
const OUR_TROUBLE: ReadonlySet<string> = new Set([
  'invalid_api_key',
  'insufficient_quota',
  'billing_hard_limit_reached',
  'account_deactivated',
  'rate_limit_exceeded',
  'server_error',
])

/** A provider's connection, paused, and its first event, which has been looked at and is still to be delivered. */
export interface Answered {
  peer: Peer
  first: Message
}

/** Dials one provider as its configuration says: attempts, a timeout for each, growing waits with full jitter between. */
export async function dial(
  target: DialTarget,
  config: DialConfig,
  clock: Clock,
  random: () => number,
  signal: AbortSignal,
): Promise<Answered> {
  let failure = new DialFailure('never tried', false)
  for (let attempt = 0; attempt < config.attempts; attempt++) {
    if (attempt > 0) await wait(jitter(config, attempt, random), clock, signal)
    signal.throwIfAborted()
    try {
      return await dialOnce(target, config.timeout, clock, signal)
    } catch (error) {
      if (!(error instanceof DialFailure)) throw error
      failure = error
      if (!error.again) break
    }
  }
  throw failure
}

/** Full jitter: anything from nothing to the exponentially growing bound. */
function jitter(config: DialConfig, attempt: number, random: () => number): Ms {
  return ms(random() * Math.min(config.backoff.longest, config.backoff.first * 2 ** (attempt - 1)))
}

/**
 * One attempt. Resolves once the provider's first event is there and is no refusal. A provider that accepts and then says
 * nothing has not answered.
 */
async function dialOnce(target: DialTarget, timeout: Ms, clock: Clock, signal: AbortSignal): Promise<Answered> {
  const attempt = new AbortController()
  const late = new DialFailure('no answer in time', true)
  using _alarm = clock.at(later(clock.now(), timeout), () => attempt.abort(late))
  const hangUp = () => attempt.abort(signal.reason)
  signal.addEventListener('abort', hangUp)
  try {
    if (signal.aborted) hangUp()
    const peer = await dialUpgrade(target.url, target.headers, clock, attempt.signal).catch((error: unknown) => {
      throw error instanceof UpgradeRefused ? failureOf(error) : error
    })
    const first = await firstMessage(peer, attempt.signal)
    const refusal = refusalIn(first.text)
    if (refusal === null) return { peer, first }
    peer.terminate()
    throw refusal
  } finally {
    signal.removeEventListener('abort', hangUp)
  }
}

function failureOf({ status }: UpgradeRefused): DialFailure {
  if (status === null) return new DialFailure('connection failed', true)
  return new DialFailure(`refused with HTTP ${status}`, status === 429 || status >= 500)
}

/** Reads one message and pauses the peer again. */
function firstMessage(peer: Peer, signal: AbortSignal): Promise<Message> {
  const { promise, resolve, reject } = Promise.withResolvers<Message>()
  const abort = () => {
    peer.terminate()
    reject(signal.reason)
  }
  signal.addEventListener('abort', abort)
  peer.listen({
    message: (message) => {
      peer.pause()
      resolve(message)
    },
    drained: () => undefined,
    binary: () => undefined,
    alive: () => undefined,
    closed: () => reject(new DialFailure('closed before its first event', true)),
  })
  peer.resume()
  if (signal.aborted) abort()
  return promise.finally(() => signal.removeEventListener('abort', abort))
}

/** A provider that refuses in-band says so in its first event (reference: realtime protocol, failure at connect). */
function refusalIn(bytes: Buffer): DialFailure | null {
  let event: { type?: unknown; error?: { code?: unknown; message?: unknown; param?: unknown } }
  try {
    event = JSON.parse(bytes.toString('utf8'))
  } catch {
    return new DialFailure('answered with no JSON', true)
  }
  if (event?.type !== 'error') return null
  const code = typeof event.error?.code === 'string' ? event.error.code : 'unknown'
  if (code === 'model_not_found' || code === 'invalid_model') return new DialFailure(`refused with ${code}`, false)
  return new DialFailure(`refused with ${code}`, !OUR_TROUBLE.has(code) || code === 'server_error')
}

function wait(delay: Ms, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      timer[Symbol.dispose]()
      reject(signal.reason)
    }
    const timer = clock.at(later(clock.now(), delay), () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
  })
}
