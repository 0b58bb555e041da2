import { expect, test } from 'vitest'
import { activityOf } from '../../src/session/activity.ts'
import { begin, type SessionState, type Talk } from '../../src/session/state.ts'
import { instant } from '../../src/units.ts'

const at = instant
const opening = begin(at(0))
const live = (changes: Partial<Talk> = {}): SessionState => ({
  phase: 'live',
  talk: { ...(opening as { talk: Talk }).talk, ...changes },
})

test('V2 what goes on is one word, the most telling of all that is true', () => {
  expect(activityOf(opening, at(0))).toBe('opening')
  expect(activityOf(live(), at(1))).toBe('quiet')
  expect(activityOf(live({ playingUntil: at(9) }), at(1))).toBe('playing')
  expect(activityOf(live({ playingUntil: at(9) }), at(9))).toBe('quiet')
  expect(activityOf(live({ tools: new Map([['call', at(0)]]) }), at(1))).toBe('awaiting_tool')
  expect(activityOf(live({ awaitingSince: at(0) }), at(1))).toBe('awaiting_answer')
  const answering = { responses: new Set(['r']), playingUntil: at(9) }
  expect(activityOf(live(answering), at(1))).toBe('answering')
  expect(activityOf(live({ ...answering, speakingSince: at(0) }), at(1))).toBe('caller_speaking')
  expect(
    activityOf(
      { phase: 'draining', until: at(9), reason: 'idle_timeout', talk: (opening as { talk: Talk }).talk },
      at(1),
    ),
  ).toBe('ending')
})
