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

  test('Q1 are made once by a request that names itself, and another one under its key is refused', async () => {
    const path = '/v1/webhook_endpoints'
    const key = { 'Idempotency-Key': 'endpoint-1' }
    const before = (await mine.get(path)).body.data.length
    const all = await Promise.all(Array.from({ length: 10 }, () => mine.post(path, { url, events: null }, key)))
    for (const { status, body } of all) if (status !== 201) expect(body.code).toBe('idempotency_conflict')
    const again = await mine.post(path, { events: null, url }, key)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true'])
    const made = all.filter(({ status }) => status === 201).map(({ body }) => `${body.id} ${body.secret}`)
    expect(new Set([...made, `${again.body.id} ${again.body.secret}`]).size).toBe(1)
    expect(again.headers.get('location')).toBe(`${path}/${again.body.id}`)
    expect((await mine.get(path)).body.data).toHaveLength(before + 1)
    const changed = await mine.post(path, { url: `${url}/else` }, key)
    expect([changed.status, changed.body.code]).toEqual([422, 'idempotency_mismatch'])
    const first = await mine.post(`${path}/${again.body.id}/rotate_secret`, {}, key)
    const second = await mine.post(`${path}/${again.body.id}/rotate_secret`, {}, key)
    expect(second.body).toEqual(first.body)
    await mine.ask('DELETE', `${path}/${again.body.id}`)
  })

  test('Q1 lead only where the one way out may go, and are twenty at the most', async () => {
    for (const bad of ['http://10.0.0.1/', 'https://localhost/', 'https://user:x@example.com/', 'ftp://example.com/']) {
      const refused = await mine.post('/v1/webhook_endpoints', { url: bad })
      expect([refused.status, refused.body.errors[0].pointer], bad).toEqual([422, '/url'])
    }
    const before = (await mine.get('/v1/webhook_endpoints')).body.data.length
    const all = await Promise.all(
      Array.from({ length: 20 - before }, (_, i) => mine.post('/v1/webhook_endpoints', { url: `${url}/${i}` })),
    )
    expect(all.map(({ status }) => status)).toEqual(all.map(() => 201))
    expect((await mine.get('/v1/webhook_endpoints')).body.data).toHaveLength(20)
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
