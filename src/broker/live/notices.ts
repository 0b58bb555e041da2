import type { Effect } from '../../session/state.ts'
import { between, type Instant, wholeMs } from '../../units.ts'
import type { ParleyServerEvent } from '../../wire/parley-events.ts'

export type Notice = Extract<Effect, { type: 'warn_length' | 'warn_idle' | 'idle_over' | 'announce_drain' }>

/** The words for a limit that is near, or a node that goes away. */
export function noticeOf(effect: Notice, now: Instant): ParleyServerEvent {
  switch (effect.type) {
    case 'warn_length':
      return { type: 'parley.warning', limit: 'length', remaining_ms: wholeMs(effect.remaining) }
    case 'warn_idle':
      return { type: 'parley.warning', limit: 'idle', remaining_ms: wholeMs(effect.remaining) }
    case 'idle_over':
      return { type: 'parley.idle_over' }
    case 'announce_drain':
      return { type: 'parley.going_away', deadline_ms: wholeMs(between(now, effect.by)) }
  }
}
