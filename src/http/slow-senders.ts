import type { IncomingMessage } from 'node:http'
import type { Clock } from '../clock.ts'
import { later, ms } from '../units.ts'

/** A JSON body that is not there by then never will be. */
const WHOLE_BODY = ms(60_000)
/** Media may take longer, as long as it comes. */
const LOOK_EVERY = ms(30_000)
const LEAST_BYTES_PER_LOOK = 30 * 16 * 1_024

const MEDIA = /^(\/openai)?\/v1\/(files|uploads|audio\/transcriptions|chat\/completions|responses)(\/|\?|$)/

/**
 * Cuts off senders that hold a connection and send next to nothing (reference: hardening, the edge). In place of the
 * server's own limit on a whole request, which knows only one number and would end large uploads.
 */
export function watchSender(request: IncomingMessage, clock: Clock): void {
  if (request.complete || request.headers['content-length'] === '0') return
  const isMedia = MEDIA.test(request.url ?? '')
  let seen = request.socket.bytesRead
  let alarm: Disposable | null = null
  const look = () => {
    if (request.complete || request.destroyed) return
    const bytes = request.socket.bytesRead - seen
    seen = request.socket.bytesRead
    // Bytes that wait for us to take them are no fault of the sender.
    const isOurFault = request.readableLength >= request.readableHighWaterMark
    if (!isMedia || (bytes < LEAST_BYTES_PER_LOOK && !isOurFault)) request.socket.destroy()
    else arm()
  }
  const arm = () => {
    alarm = clock.at(later(clock.now(), isMedia ? LOOK_EVERY : WHOLE_BODY), look)
  }
  arm()
  request.once('close', () => alarm?.[Symbol.dispose]())
}
