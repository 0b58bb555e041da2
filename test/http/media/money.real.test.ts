import { describe, expect, test } from 'vitest'
import { keys } from '../../../src/store/keys.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { other, Parley } from '../../support/parley.ts'

const transcribe = { type: 'audio.transcribe', input: { data: 'AAAA' } }

describe('money and the batch door', () => {
  test('L5 who has spent the day’s money is told when asking, as something that waiting soon does not mend', async () => {
    await using parley = await Parley.start({
      policy: { plans: { default: { limits: { tenant: { perDay: '$1' } } } } },
    })
    const mine = new MediaCaller(parley)
    const first = await mine.post('/v1/jobs', transcribe, { 'Idempotency-Key': 'first' })
    expect(first.status).toBe(202)
    const [seconds] = await parley.store.redis.time()
    const day = `day:${new Date(Number(seconds) * 1_000).toISOString().slice(0, 10)}`
    await parley.store.redis.set(keys.spent(keys.limits, 'tenant', 'acme', day), 1_000_000_000)
    const refused = await mine.post('/v1/jobs', transcribe)
    expect([refused.status, refused.body.code, refused.body.retryable]).toEqual([402, 'budget_exceeded', false])
    // What buys nothing may go on; so may whoever asks what became of what was asked before.
    expect((await mine.post('/v1/jobs', { ...transcribe, type: 'audio.prepare' })).status).toBe(202)
    const again = await mine.post('/v1/jobs', transcribe, { 'Idempotency-Key': 'first' })
    expect([again.status, again.body.id]).toEqual([202, first.body.id])
    expect((await new MediaCaller(parley, other.key).post('/v1/jobs', transcribe)).status).toBe(202)
  })

  test('Q7 what files take is shown beside what they may', async () => {
    const plans = { default: { jobs: { storage: '1KiB', files: 5 } } }
    await using parley = await Parley.start({ policy: { plans } })
    const mine = new MediaCaller(parley)
    await mine.upload('x'.repeat(1_000))
    expect((await mine.get('/v1/limits')).body.data).toMatchObject([
      { media: { storage_bytes: { limit: 1_024, now: 1_000, left: 24 }, files: { limit: 5, now: 1, left: 4 } } },
    ])
    const refused = await mine.upload('x'.repeat(25))
    expect([refused.status, refused.body.code]).toEqual([507, 'storage_full'])
  })
})
