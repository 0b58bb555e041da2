import { reconnecting } from './away.ts'
import type { CallEvent, CallState, Step } from './call-state.ts'
import { stay } from './call-state.ts'
import { ACK_AFTER_MS, live, PING_AFTER_MS } from './live.ts'
import { begin, connecting, DIAL_MS, preparing } from './opening.ts'

/** What an event means for a conversation, and what must be done about it. Any event may come in any phase. */
export function transition(state: CallState, event: CallEvent, now: number): Step {
  switch (state.phase) {
    case 'resting':
    case 'ended':
      return event.type === 'start' ? begin(event.isSpoken) : stay(state)
    case 'preparing':
      return preparing(state, event, now)
    case 'connecting':
      return connecting(state, event, now)
    case 'live':
      return live(state, event, now)
    case 'reconnecting':
      return reconnecting(state, event, now)
  }
}

/** When the state must be looked at again although nothing has happened; null when never. */
export function nextDeadline(state: CallState): number | null {
  switch (state.phase) {
    case 'resting':
    case 'ended':
    case 'preparing':
      return null
    case 'connecting':
      return state.since + DIAL_MS
    case 'reconnecting':
      return Math.min(state.tryAt ?? state.dialBy, state.giveUpAt)
    case 'live': {
      const { session } = state
      return Math.min(
        session.seen > session.acknowledged ? session.acknowledgedAt + ACK_AFTER_MS : Number.POSITIVE_INFINITY,
        session.pongBy ?? session.lastReceivedAt + PING_AFTER_MS,
        session.throttledUntil ?? Number.POSITIVE_INFINITY,
        session.notice?.until ?? Number.POSITIVE_INFINITY,
      )
    }
  }
}
