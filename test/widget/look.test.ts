import { describe, expect, test } from 'vitest'
import { FAULTS } from '../../src/faults.ts'
import type { EndCause } from '../../src/widget/endings.ts'
import { causeOfCode, OUTCOMES } from '../../src/widget/endings.ts'
import { lookOf } from '../../src/widget/look.ts'
import { clockTime, ENGLISH, fill, money, withChanges } from '../../src/widget/strings.ts'
import { endReasons } from '../../src/wire/parley-events.ts'
import { CallWorld } from './call-world.ts'

const look = (world: CallWorld, strings = ENGLISH) => lookOf(world.state, strings, 'en', world.now)

describe('what a person is shown', () => {
  test('V1 every reason of Parley and every close code has words and a next step', () => {
    for (const reason of endReasons) expect(OUTCOMES[reason], reason).toBeDefined()
    for (const cause of Object.keys(OUTCOMES) as EndCause[]) {
      const { title, text } = ENGLISH.endings[cause]
      expect(title.length, cause).toBeGreaterThan(3)
      expect(text.length, cause).toBeGreaterThan(10)
    }
    for (const { close } of Object.values(FAULTS))
      expect(OUTCOMES, String(close)).toHaveProperty(causeOfCode(close) ?? '')
  })

  test.each(Object.keys(OUTCOMES) as EndCause[])(
    'V1 after %s there is a way on, unless only the owner knows one',
    (cause) => {
      const { ending } = lookOf(
        { phase: 'ended', talk: new CallWorld().connect().live.talk, cause, endedAt: 0, retryAt: null },
        ENGLISH,
        'en',
        0,
      )
      expect(ending?.action === null).toBe(OUTCOMES[cause].next === 'ask_owner')
    },
  )

  test('V1 the person is asked for the microphone only while the browser asks', () => {
    const world = new CallWorld()
    world.do({ type: 'start', isSpoken: true })
    expect(look(world).status).toBe('Getting ready')
    world.do({ type: 'secret', value: 'ek_1' })
    expect(look(world).status).toBe('Please allow the microphone')
  })

  test('S3 an idle warning counts down, and is taken back', () => {
    const world = new CallWorld().connect()
    world.hear({ type: 'parley.warning', limit: 'idle', remaining_ms: 10_000 })
    world.now += 2_500
    expect(look(world).banner).toEqual({ tone: 'urgent', text: 'Are you still there? Ends in 8\u00a0s' })
    world.hear({ type: 'parley.idle_over' })
    expect(look(world).banner).toBeNull()
  })

  test('S2 a length warning shows what is left', () => {
    const world = new CallWorld().connect()
    expect(look(world)).toMatchObject({ time: '10:00 left', isTimeShort: false })
    world.hear({ type: 'parley.warning', limit: 'length', remaining_ms: 60_000 })
    world.now += 1_000
    expect(look(world)).toMatchObject({ time: '0:59 left', isTimeShort: true })
    expect(look(world).banner?.text).toBe('This conversation ends in 0:59')
  })

  test('M1 cost is what Parley has booked', () => {
    const world = new CallWorld().connect()
    expect(look(world).cost).toBe('')
    world.hear({ type: 'parley.usage', session_cost_nano_usd: 5_324_000 })
    expect(look(world).cost).toBe('$0.0053')
  })

  test('L3 an answer that is held back says for how long', () => {
    const world = new CallWorld().connect()
    world.hear({ type: 'parley.throttled', action: 'delayed', account: 'user', limit: 'tokens', wait_ms: 4_000 })
    expect(look(world).banner?.text).toContain('in 4\u00a0s')
    world.pass(4_000)
    expect(look(world).banner).toBeNull()
  })

  test('V1 a page puts its own words in place of any, and the others stay', () => {
    const strings = withChanges({ listening: 'Ich höre zu', endings: { idle_timeout: { title: 'Still geworden' } } })
    const world = new CallWorld().connect()
    expect(look(world, strings).status).toBe('Ich höre zu')
    world.hear({ type: 'parley.session_ended', reason: 'idle_timeout', duration_ms: 1, usage: { cost_nano_usd: 0 } })
    world.do({ type: 'closed', code: 4011 })
    const { ending } = look(world, strings)
    expect(ending).toMatchObject({ title: 'Still geworden', text: ENGLISH.endings.idle_timeout.text })
  })

  test('V1 times and amounts', () => {
    expect([0, 1, 59_001, 3_600_000, 3_729_000].map(clockTime)).toEqual(['0:00', '0:01', '1:00', '1:00:00', '1:02:09'])
    expect([0, 120_000, 1_500_000_000].map((nano) => money(nano, 'en'))).toEqual(['$0.00', '$0.0001', '$1.50'])
    expect(fill('{a} and {b}', { a: 1 })).toBe('1 and {b}')
  })
})
