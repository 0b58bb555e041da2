import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isEnded } from '../../src/media/job.ts'
import { CHANGES, transition } from '../../src/media/job-state.ts'
import { instant } from '../../src/units.ts'
import { made, plot } from '../support/job-play.ts'

test('Q1 whatever happens to a job, in whatever order: only the changes of the table, one number for each, one end', () => {
  fc.assert(
    fc.property(plot, (scene) => {
      let state = made(scene)
      let now = 0
      for (const { wait, command } of scene.moves) {
        now += wait
        const before = state
        const { state: after } = transition(before, command, scene.rules, instant(now))
        if (after.status !== before.status) {
          const isTwo = command.type === 'look' && before.status === 'scheduled'
          expect(CHANGES[before.status], `${before.status} → ${after.status}`).toContain(after.status)
          expect(after.seq - before.seq).toBeLessThanOrEqual(isTwo ? 2 : 1)
          expect(after.seq).toBeGreaterThan(before.seq)
        }
        if (isEnded(before.status) && command.type !== 'retry') expect(after.status).toBe(before.status)
        if (isEnded(after.status)) expect([after.holder, after.alarm, after.lease]).toEqual([null, null, null])
        else expect(after.alarm, 'what has not ended is looked at some time').not.toBeNull()
        expect(after.holder !== null).toBe(after.status === 'processing')
        expect(after.tries).toBeLessThanOrEqual(
          Math.max(before.tries, scene.rules.maxAttempts + scene.rules.mostStarts),
        )
        expect(after.starts).toBeLessThanOrEqual(scene.rules.mostStarts)
        state = after
      }
    }),
    { numRuns: 5_000 },
  )
})

test('Q1 a job that nobody touches any more ends by time alone', () => {
  fc.assert(
    fc.property(plot, (scene) => {
      let state = made(scene)
      let now = 0
      for (const { wait, command } of scene.moves) {
        now += wait
        state = transition(state, command, scene.rules, instant(now)).state
      }
      for (let looks = 0; looks < 10 && !isEnded(state.status); looks++) {
        now += 400_000
        state = transition(state, { type: 'look' }, scene.rules, instant(now)).state
      }
      expect(isEnded(state.status)).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
