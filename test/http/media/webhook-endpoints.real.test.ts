import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashKey, keyId, makeKey } from '../../../src/auth/keys.ts'
import { systemClock } from '../../../src/clock.ts'
import { TenantHooks } from '../../../src/store/tenant-hooks.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { demo, other, Parley } from '../../support/parley.ts'

const url = 'https://example.com/hooks'
const narrow = makeKey('test', '')

describe('webhook endpoints of a tenant', () => {
  const stack = new AsyncDisposableStack()
  let mine: MediaCaller
  let theirs: MediaCaller
  let parley: Parley

  beforeAll(async () => {
    const keyOf = (key: string, scopes?: 'jobs'[]) => ({ id: keyId(key) ?? '', hash: hashKey(key, ''), scopes })
    const tenants = {
      acme: { keys: [keyOf(demo.key), keyOf(narrow.key, ['jobs'])] },
      zenith: { keys: [keyOf(other.key)] },
    }
    parley = stack.use(await Parley.start({ policy: { tenants } }))
    mine = new MediaCaller(parley)
    theirs = new MediaCaller(parley, other.key)
  })
  afterAll(() => stack.disposeAsync())

  test('Q1 are made, changed, given new secrets and removed by whoever holds a key for it', async () => {
    const made = await mine.post('/v1/webhook_endpoints', { url, events: ['job.succeeded'] })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ url, events: ['job.succeeded'], enabled: true })
    expect(made.body.secret).toMatch(/^whsec_/)
    const path = `/v1/webhook_endpoints/${made.body.id}`
    expect(made.headers.get('location')).toBe(path)
    const { secret: _, ...shown } = made.body
    expect((await mine.get(path)).body).toEqual(shown)
    expect((await mine.get('/v1/webhook_endpoints')).body.data).toEqual([shown])
    const patch = (body: object) =>
      mine.ask('PATCH', path, { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } })
    expect((await patch({ enabled: false, events: null })).body).toEqual({ ...shown, enabled: false, events: null })
    const rotated = await mine.post(`${path}/rotate_secret`, {})
    expect(rotated.body.secret).not.toBe(made.body.secret)
    await patch({ enabled: true })
    const hooks = new TenantHooks(parley.store.redis, () => systemClock.now())
    expect((await hooks.find('acme', made.body.id))?.secrets).toEqual([rotated.body.secret, made.body.secret])
    expect((await mine.post(`${path}/test`, {})).status).toBe(202)
    expect((await theirs.post(`${path}/test`, {})).status).toBe(404)
    expect((await mine.ask('DELETE', path)).status).toBe(204)
    expect((await mine.get(path)).status).toBe(404)
  })

  test('Q1 lead only where the one way out may go, and are twenty at the most', async () => {
    for (const bad of ['http://10.0.0.1/', 'https://localhost/', 'https://user:x@example.com/', 'ftp://example.com/']) {
      const refused = await mine.post('/v1/webhook_endpoints', { url: bad })
      expect([refused.status, refused.body.errors[0].pointer], bad).toEqual([422, '/url'])
    }
    for (let i = 0; i < 20; i++) await mine.post('/v1/webhook_endpoints', { url: `${url}/${i}` })
    const more = await mine.post('/v1/webhook_endpoints', { url })
    expect([more.status, more.body.code]).toEqual([409, 'wrong_state'])
    expect((await theirs.get('/v1/webhook_endpoints')).body.data).toEqual([])
  })

  test('Q1 the secret for the URLs of jobs can be read again, and changed; no path leads to it as an endpoint', async () => {
    const { secret } = (await mine.get('/v1/webhook_secret')).body
    expect((await mine.get('/v1/webhook_secret')).body.secret).toBe(secret)
    expect((await theirs.get('/v1/webhook_secret')).body.secret).not.toBe(secret)
    const next = (await mine.post('/v1/webhook_secret/rotate', {})).body.secret
    expect((await mine.get('/v1/webhook_secret')).body.secret).toBe(next)
    const body = JSON.stringify({ url })
    const headers = { 'Content-Type': 'application/json' }
    expect((await mine.ask('PATCH', '/v1/webhook_endpoints/jobs', { body, headers })).status).toBe(404)
    expect((await mine.ask('DELETE', '/v1/webhook_endpoints/jobs')).status).toBe(404)
  })

  test('Q7 a key that was not made for it is refused', async () => {
    const caller = new MediaCaller(parley, narrow.key)
    const refused = await caller.get('/v1/webhook_endpoints')
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
    expect((await caller.get('/v1/jobs')).status).toBe(200)
  })
})
