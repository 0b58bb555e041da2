import type { Instant } from '../units.ts'
import type { SessionState } from './state.ts'

/** What goes on in a session, in one word. */
export type Activity =
  | 'opening'
  | 'quiet'
  | 'caller_speaking'
  | 'awaiting_answer'
  | 'answering'
  | 'playing'
  | 'awaiting_tool'
  | 'caller_away'
  | 'ending'

/** The most telling of whatever is true at `now`: a caller who speaks over an answer is speaking. */
export function activityOf(state: SessionState, now: Instant): Activity {
  switch (state.phase) {
    case 'opening':
      return 'opening'
    case 'parked':
      return 'caller_away'
    case 'draining':
    case 'ended':
      return 'ending'
    case 'live': {
      const { talk } = state
      if (talk.speakingSince !== null) return 'caller_speaking'
      if (talk.responses.size > 0) return 'answering'
      if (talk.awaitingSince !== null) return 'awaiting_answer'
      if (talk.playingUntil > now) return 'playing'
      return talk.tools.size > 0 ? 'awaiting_tool' : 'quiet'
    }
  }
}
