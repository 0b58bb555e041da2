import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IdempotentRequests, type StoredAnswer } from '../../src/store/idempotent-requests.ts'
import { ms } from '../../src/units.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { TestStore } from '../support/store.ts'

const answer = (body: string, status = 201): StoredAnswer => ({ status, headers: { Location: '/x' }, body })
const named = (key: string, fingerprint = 'f') => ({ key, fingerprint, keep: ms(60_000) })
const isFinal = ({ status }: StoredAnswer) => status < 300

describe('requests that name themselves', () => {
  const stack = new AsyncDisposableStack()
  let requests: IdempotentRequests
  beforeAll(async () => {
    const { store } = stack.use(await TestStore.open())
    requests = new IdempotentRequests(store.redis, new ManualClock())
  })
  afterAll(() => stack.disposeAsync())

  test('Q1 are done once and answered twice, for each tenant by itself', async () => {
    let done = 0
    const run = async () => answer(String(++done))
    expect(await requests.once('acme', named('a'), isFinal, run)).toEqual({ answer: answer('1'), replayed: false })
    expect(await requests.once('acme', named('a'), isFinal, run)).toEqual({ answer: answer('1'), replayed: true })
    expect(await requests.once('zenith', named('a'), isFinal, run)).toMatchObject({ replayed: false })
    await expect(requests.once('acme', named('a', 'g'), isFinal, run)).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    })
    expect(done).toBe(2)
  })

  test('Q1 that are being done are not done beside that', async () => {
    const { promise, resolve } = Promise.withResolvers<StoredAnswer>()
    const first = requests.once('acme', named('b'), isFinal, () => promise)
    const conflict = { code: 'idempotency_conflict', retryAfterMs: 1_000 }
    while (true) {
      const second = await requests.once('acme', named('b'), isFinal, async () => answer('x', 500)).catch((e) => e)
      // Whoever comes first does it; what is no final answer is not kept.
      if (second instanceof Error) {
        expect(second).toMatchObject(conflict)
        break
      }
    }
    resolve(answer('1'))
    await first
    expect((await requests.once('acme', named('b'), isFinal, () => promise)).replayed).toBe(true)
  })

  test('Q1 that failed, or were answered for now, may be sent again', async () => {
    const fail = () => Promise.reject(new Error('away'))
    await expect(requests.once('acme', named('c'), isFinal, fail)).rejects.toThrow('away')
    expect((await requests.once('acme', named('c'), isFinal, async () => answer('busy', 503))).replayed).toBe(false)
    expect(await requests.once('acme', named('c'), isFinal, async () => answer('1'))).toMatchObject({ replayed: false })
    expect(await requests.once('acme', named('c'), isFinal, fail)).toMatchObject({ replayed: true })
  })
})
