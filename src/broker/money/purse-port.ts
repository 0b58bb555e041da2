import type { CallerLine } from '../lines/caller-line.ts'
import type { Outbox } from '../lines/outbox.ts'
import type { ProviderLine } from '../lines/provider-line.ts'
import { errorEvent } from '../live/dismissal.ts'
import type { LiveSession } from '../live/live-session.ts'
import type { PursePort } from './purse.ts'

/** What a session's purse brings about at its two lines. */
export function pursePort(
  session: LiveSession,
  provider: ProviderLine,
  outbox: Outbox,
  caller: CallerLine,
): Omit<PursePort, 'budgetPassed'> {
  return {
    command: (event) => provider.command(event),
    forward: (message) => void provider.forward(message),
    refuse: (fault, eventId) => session.say(Buffer.from(errorEvent(fault, eventId))),
    tell: (event) => outbox.tell(event),
    emit: (event) => session.say(Buffer.from(JSON.stringify(event))),
    paceAudio: (times, burst) => caller.paceAudio(times, burst),
    audioTaken: (length) => caller.audioCame(length),
    holdInput: (isHeld) => caller.keep(isHeld),
    responseExpected: () => session.dispatch({ type: 'response_requested' }),
    responseRefused: () => session.dispatch({ type: 'response_refused' }),
    end: (reason) => session.dispatch({ type: 'end_requested', reason }),
  }
}
