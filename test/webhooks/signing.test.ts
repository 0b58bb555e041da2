import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { instant, ms } from '../../src/units.ts'
import { ATTEMPTS, readRetryAfter, retryGap } from '../../src/webhooks/schedule.ts'
import { signedHeaders, webhookKey } from '../../src/webhooks/sign.ts'
import { bodyOf, endpointId, newEventId, wants } from '../../src/webhooks/webhook.ts'

/** The test vector published with Standard Webhooks. */
const vector = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  at: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
}

describe('signatures', () => {
  test('Q1 agree with the published vector', () => {
    const { id, at, body, secret, signature } = vector
    expect(signedHeaders(id, at, body, [secret])).toEqual({
      'webhook-id': id,
      'webhook-timestamp': '1614265330',
      'webhook-signature': signature,
    })
  })

  test('Q1 while a secret is changed both sign, the new one first', () => {
    const next = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
    const { id, at, body, secret, signature } = vector
    const [first, second, ...more] = (signedHeaders(id, at, body, [next, secret])['webhook-signature'] ?? '').split(' ')
    const expected = createHmac('sha256', Buffer.alloc(32, 7)).update(`${id}.${at}.${body}`).digest('base64')
    expect(first).toBe(`v1,${expected}`)
    expect(second).toBe(signature)
    expect(more).toEqual([])
  })

  test.each([
    '',
    'whsec_',
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'whsec_c2hvcnQ=',
    'whsec_not base64 at all!!!!!!!!!!!!!!!!!!!!',
  ])('Q1 %j is no secret, and the message does not repeat it', (secret) => {
    expect(() => webhookKey(secret)).toThrow('a webhook secret is whsec_ and base64 of 24 to 64 bytes')
    expect(() => webhookKey(`whsec_${Buffer.alloc(65).toString('base64')}`)).toThrow(RangeError)
  })
})

describe('events', () => {
  const event = { id: 'evt_1', type: 'budget.warning', at: instant(0), data: { a: 1 } } as const

  test('Q1 are thin', () => {
    expect(bodyOf(event)).toBe('{"type":"budget.warning","timestamp":"1970-01-01T00:00:00.000Z","data":{"a":1}}')
    expect(() => bodyOf({ ...event, data: { a: 'x'.repeat(20_000) } })).toThrow(RangeError)
    expect(() => bodyOf({ ...event, id: 'a.b' })).toThrow(RangeError)
    expect(bodyOf({ ...event, id: newEventId() })).toBe(bodyOf(event))
  })

  test('Q1 go to those who asked for them', () => {
    const endpoint = { url: 'https://a.example.com/?token=secret', secrets: [], events: null }
    expect(wants(endpoint, 'objective.stepped')).toBe(true)
    expect(wants({ ...endpoint, events: ['objective.stepped'] }, 'objective.stepped')).toBe(true)
    expect(wants({ ...endpoint, events: ['objective.stepped'] }, 'budget.warning')).toBe(false)
    expect(endpointId(endpoint)).toMatch(/^[0-9a-f]{16}$/)
  })
})

describe('the schedule', () => {
  test('Q1 is ten attempts in about 76 hours', () => {
    const gaps = Array.from({ length: ATTEMPTS - 1 }, (_, i) => retryGap(i + 1, null, 0.5))
    expect(gaps.map((gap) => gap / 1_000)).toEqual([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400])
    expect(gaps.reduce((sum, gap) => sum + gap, 0) / 3_600_000).toBeCloseTo(75.6, 1)
  })

  test('Q1 varies by a fifth either way, and waits as long as the receiver asks, up to a day', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.double({ min: 0, max: 1, noNaN: true }), (failed, chance) => {
        const middle = retryGap(failed, null, 0.5)
        expect(retryGap(failed, null, chance)).toBeGreaterThanOrEqual(Math.floor(middle * 0.8))
        expect(retryGap(failed, null, chance)).toBeLessThanOrEqual(Math.ceil(middle * 1.2))
      }),
    )
    expect(retryGap(1, ms(60_000), 0.5)).toBe(60_000)
    expect(retryGap(2, ms(60_000), 0.5)).toBe(300_000)
    expect(retryGap(1, ms(10 * 86_400_000), 0.5)).toBe(86_400_000)
  })

  test.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 1970 00:01:00 GMT', 59_000],
    ['Wed, 31 Dec 1969 23:00:00 GMT', 0],
    ['soon', null],
    ['-5x', null],
    [undefined, null],
  ])('Q1 Retry-After %j', (header, wait) => expect(readRetryAfter(header, instant(1_000))).toBe(wait))
})
