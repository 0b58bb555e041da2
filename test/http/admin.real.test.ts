import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { admin, demo, Parley } from '../support/parley.ts'

/** What a revoked credential's sessions may still live, ms. */
const REVOKED_WITHIN = 5_000

type Json = Record<string, unknown>

describe('the operator’s routes', () => {
  let parley: Parley
  /** A second node on the same Redis: what one is told, the other must do. */
  let neighbour: Parley
  beforeAll(async () => {
    parley = await Parley.start()
    neighbour = await Parley.start({ store: parley.store })
  })
  afterAll(async () => {
    await neighbour[Symbol.asyncDispose]()
    await parley[Symbol.asyncDispose]()
  })

  async function ask(
    method: string,
    path: string,
    body?: unknown,
    key = admin.key,
  ): Promise<{ status: number } & Json> {
    const response = await fetch(`${parley.url}/v1/${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { ...(text === '' ? {} : (JSON.parse(text) as Json)), status: response.status }
  }

  /** A tenant with a key of its own. */
  async function tenantWithKey(id: string, settings: object = {}): Promise<{ key: string; keyId: string }> {
    expect(await ask('POST', 'admin/tenants', { id, ...settings })).toMatchObject({ status: 201 })
    const made = await ask('POST', `admin/tenants/${id}/keys`)
    expect(made.status).toBe(201)
    return { key: String(made.key), keyId: String(made.id) }
  }

  /** Resolves once the neighbour takes the key; it was told of it by a notice. */
  async function onNeighbour(key: string, query?: string): Promise<Caller> {
    for (;;) {
      const caller = new Caller(neighbour.door(query), key)
      const first = await caller.until((event) => event.type === 'session.created' || event.type === 'error')
      if (first.type === 'session.created') return caller
      caller[Symbol.dispose]()
    }
  }

  test.each([
    ['GET', 'admin/tenants'],
    ['POST', 'admin/tenants'],
    ['GET', 'admin/plans'],
    ['PUT', 'admin/plans/x'],
    ['GET', 'admin/audit'],
    ['GET', 'admin/nothing'],
  ])('R4 %s %s is for the operator’s key alone', async (method, path) => {
    const body = method === 'GET' ? undefined : {}
    expect(await ask(method, path, body, demo.key)).toMatchObject({ status: 403, error: { code: 'forbidden' } })
    expect(await ask(method, path, body, 'nonsense')).toMatchObject({ status: 401 })
    expect(await ask(method, path, body, `ek_${'a'.repeat(43)}`)).toMatchObject({ status: 403 })
  })

  test('R4 a tenant that was made by route opens sessions on every node, with a key that is shown once', async () => {
    const { key, keyId } = await tenantWithKey('made', { limits: { user: { perDay: '$2.50', sessions: null } } })
    using here = await Caller.connect(parley.door(), key)
    using there = await onNeighbour(key)
    expect(here.closure ?? there.closure).toBeNull()
    const seen = await ask('GET', 'admin/tenants/made')
    expect(seen).toMatchObject({
      source: 'stored',
      plan: 'default',
      limits: { user: { perDay: '$2.5', sessions: null } },
      keys: [{ id: keyId, scopes: ['realtime', 'mint', 'usage', 'jobs', 'webhooks'], former_secret: null }],
    })
    expect(JSON.stringify(seen)).not.toContain(key)
    const [{ last_used_at }] = seen.keys as [{ last_used_at: number }]
    expect(last_used_at % 3_600_000).toBe(0)
    expect(Math.abs(Date.now() - last_used_at)).toBeLessThan(3_700_000)
  })

  test('R4 what the policy file names is listed, and changed nowhere else', async () => {
    const { data } = (await ask('GET', 'admin/tenants?limit=1000')) as unknown as { data: Json[] }
    expect(data.find(({ id }) => id === 'acme')).toMatchObject({ source: 'policy_file', created_at: null })
    const refused = { status: 409, error: { code: 'named_in_policy_file' } }
    expect(await ask('POST', 'admin/tenants', { id: 'acme' })).toMatchObject(refused)
    expect(await ask('PATCH', 'admin/tenants/acme', { suspended: true })).toMatchObject(refused)
    expect(await ask('DELETE', 'admin/tenants/acme')).toMatchObject(refused)
    expect(await ask('POST', 'admin/tenants/acme/keys')).toMatchObject(refused)
    expect(await ask('PUT', 'admin/plans/default', {})).toMatchObject(refused)
    expect(await ask('DELETE', 'admin/plans/default')).toMatchObject(refused)
  })

  test('R4 what is no good is refused as in the file, by the name of the setting, and nothing of it is kept', async () => {
    const refusals: [object, string][] = [
      [{ id: 'Bad Id' }, 'id'],
      [{ id: 'bad', plan: 'gold' }, 'plan'],
      [{ id: 'bad', colour: 'red' }, ''],
      [{ id: 'bad', limits: { user: { perDay: '2.50' } } }, 'limits.user.perDay'],
      [{ id: 'bad', limits: { user: { perDay: '$3', perMonth: '$2' } } }, 'limits.user.perDay'],
    ]
    for (const [body, param] of refusals) {
      expect(await ask('POST', 'admin/tenants', body)).toMatchObject({ status: 400, error: { param } })
    }
    expect(await ask('GET', 'admin/tenants/bad')).toMatchObject({ status: 404 })
    expect(await ask('POST', 'admin/tenants', { id: 'twice' })).toMatchObject({ status: 201 })
    expect(await ask('POST', 'admin/tenants', { id: 'twice' })).toMatchObject({
      status: 409,
      error: { code: 'already_exists' },
    })
  })

  test('R4 a plan made by route holds for sessions to come, and stays while a tenant is on it', async () => {
    const plan = { maxOutputTokens: 50, session: { maxDuration: '1m', warnings: ['10s'], idle: null } }
    expect(await ask('PUT', 'admin/plans/tiny', plan)).toMatchObject({
      status: 200,
      source: 'stored',
      plan: { maxOutputTokens: 50, session: { maxDuration: 60_000, idle: null } },
    })
    const { key } = await tenantWithKey('small', { plan: 'tiny' })
    using caller = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), key)
    const created = (await caller.next('session.created')).session as Json
    expect(created.max_output_tokens).toBe(50)
    expect(await ask('DELETE', 'admin/plans/tiny')).toMatchObject({ status: 409, error: { code: 'in_use' } })
    expect(await ask('PUT', 'admin/plans/tiny', { models: ['none'] })).toMatchObject({
      status: 400,
      error: { param: 'tiny.models' },
    })
    expect(await ask('PATCH', 'admin/tenants/small', { plan: 'default' })).toMatchObject({ plan: 'default' })
    expect(await ask('DELETE', 'admin/plans/tiny')).toMatchObject({ status: 204 })
    expect(await ask('DELETE', 'admin/plans/tiny')).toMatchObject({ status: 404 })
  })

  test('W3 a rotated key has two good secrets, until the old one is revoked or its time is over', async () => {
    const { key, keyId } = await tenantWithKey('turning')
    const models = (value: string) => ask('GET', 'models', undefined, value)
    const rotated = await ask('POST', `admin/tenants/turning/keys/${keyId}/rotate`, { oldValidFor: '1h' })
    const second = String(rotated.key)
    expect(rotated.id).toBe(keyId)
    expect([(await models(key)).status, (await models(second)).status]).toEqual([200, 200])
    expect(await ask('DELETE', `admin/tenants/turning/keys/${keyId}/former`)).toMatchObject({ status: 204 })
    expect([(await models(key)).status, (await models(second)).status]).toEqual([401, 200])
    const third = String((await ask('POST', `admin/tenants/turning/keys/${keyId}/rotate`, { oldValidFor: 0 })).key)
    expect([(await models(second)).status, (await models(third)).status]).toEqual([401, 200])
  })

  test('W3 a revoked key is dead on every node, and its sessions end within five seconds; those of others go on', async () => {
    const { key, keyId } = await tenantWithKey('leaky')
    const { id, key: kept } = (await ask('POST', 'admin/tenants/leaky/keys', { name: 'other' })) as unknown as {
      id: string
      key: string
    }
    using here = await Caller.connect(parley.door(), key)
    using there = await onNeighbour(key, 'model=gpt-realtime&parley=1')
    using other = await onNeighbour(kept)
    const { value } = await ask('POST', 'realtime/client_secrets', {}, key)
    const revokedAt = performance.now()
    expect(await ask('DELETE', `admin/tenants/leaky/keys/${keyId}`)).toMatchObject({ status: 204 })
    for (const caller of [here, there]) {
      const { code, at } = await caller.closed()
      expect(code).toBe(4013)
      expect(at - revokedAt).toBeLessThan(REVOKED_WITHIN)
    }
    expect(there.of('parley.session_ended')[0]).toMatchObject({ reason: 'credential_revoked' })
    using late = new Caller(neighbour.door(), key)
    using minted = new Caller(neighbour.door(), String(value))
    for (const caller of [late, minted]) {
      expect((await caller.next('error')).error).toMatchObject({ code: 'invalid_api_key' })
    }
    expect((await other.ask('Still there?')).type).toBe('response.done')
    expect((await ask('GET', 'admin/tenants/leaky')).keys).toMatchObject([{ id, name: 'other' }])
  })

  test.each([
    ['suspended', (id: string) => ask('PATCH', `admin/tenants/${id}`, { suspended: true }), 'account_deactivated'],
    ['removed', (id: string) => ask('DELETE', `admin/tenants/${id}`), 'invalid_api_key'],
  ])('W3 the sessions of a %s tenant end on every node', async (how, act, code) => {
    const { key } = await tenantWithKey(`t_${how}`)
    using here = await Caller.connect(parley.door(), key)
    using there = await onNeighbour(key)
    await act(`t_${how}`)
    expect([(await here.closed()).code, (await there.closed()).code]).toEqual([4013, 4013])
    using late = new Caller(parley.door(), key)
    expect((await late.next('error')).error).toMatchObject({ code })
  })

  test('W3 a key does only what it was made for', async () => {
    await tenantWithKey('narrow')
    const keyFor = async (...scopes: string[]) =>
      String((await ask('POST', 'admin/tenants/narrow/keys', { scopes })).key)
    const [realtime, mint, usage] = [await keyFor('realtime'), await keyFor('mint'), await keyFor('usage')]
    const minted = async (key: string) => (await ask('POST', 'realtime/client_secrets', {}, key)).status
    expect([await minted(realtime), await minted(mint), await minted(usage)]).toEqual([403, 200, 403])
    const listed = async (key: string) => (await ask('GET', 'sessions', undefined, key)).status
    expect([await listed(realtime), await listed(mint), await listed(usage)]).toEqual([403, 403, 200])
    using opens = await Caller.connect(parley.door(), realtime)
    expect(opens.closure).toBeNull()
    using refused = new Caller(parley.door(), usage)
    expect((await refused.next('error')).error).toMatchObject({ code: 'forbidden' })
  })

  test('L1 a client secret shortens its session, and never lengthens it', async () => {
    const mint = async (limits: object) =>
      String((await ask('POST', 'realtime/client_secrets', { parley: { limits } }, demo.key)).value)
    using short = await Caller.connect(
      parley.door('model=gpt-realtime&parley=1'),
      await mint({ maxDuration: '400ms', budget: '$0.50', tokensPerMinute: 20_000 }),
    )
    const opened = performance.now()
    const { code, at } = await short.closed()
    expect(code).toBe(4010)
    expect(at - opened).toBeLessThan(650)
    using long = await Caller.connect(parley.door('model=gpt-realtime&parley=1'), await mint({ maxDuration: '20h' }))
    const { session_id } = await long.next('parley.session')
    const view = await ask('GET', `sessions/${session_id}`)
    expect(Number(view.ends_at) - Number(view.admitted_at)).toBe(1_800_000)
    expect(await ask('POST', 'realtime/client_secrets', { parley: { limits: { budget: 5 } } }, demo.key)).toMatchObject(
      {
        status: 400,
        error: { param: 'parley.limits.budget' },
      },
    )
  })

  test('V4 what happened is in the audit log, whole and without secrets', async () => {
    const { key, keyId } = await tenantWithKey('watched')
    await ask('PATCH', 'admin/tenants/watched', { limits: { tenant: { perDay: '$3' } }, suspended: false })
    const { value } = await ask('POST', 'realtime/client_secrets', {}, key)
    using caller = await Caller.connect(parley.door(), String(value))
    const { key: second } = await ask('POST', `admin/tenants/watched/keys/${keyId}/rotate`)
    await ask('DELETE', `admin/tenants/watched/keys/${keyId}`)
    await caller.closed()
    const rows: Json[] = []
    for (let more = true; more; ) {
      const page = await ask('GET', `admin/audit?after=${rows.at(-1)?.seq ?? 0}&limit=7`)
      rows.push(...(page.data as Json[]))
      more = page.has_more === true
    }
    expect(rows[0]).toMatchObject({ seq: 1, kind: 'config.loaded', detail: { plans: 1, tenants: 2 } })
    const own = rows.filter(({ tenant }) => tenant === 'watched')
    const told = own.map(({ kind, actor }) => `${kind} ${actor}`)
    // Which of the two is first, the revocation or what it brings about, is the nodes' own affair.
    expect([...told.slice(0, 6), ...told.slice(6).sort()]).toEqual([
      'tenant.made operator',
      'key.made operator',
      'limits.changed operator',
      `secret.minted key:${keyId}`,
      `session.opened key:${keyId}`,
      'key.rotated operator',
      'key.revoked operator',
      `session.closed key:${keyId}`,
    ])
    expect(own[2]?.detail).toEqual({ before: null, after: { tenant: { perDay: '$3' } } })
    const closed = own.find(({ kind }) => kind === 'session.closed')
    expect(closed?.detail).toEqual({ reason: 'credential_revoked' })
    const text = JSON.stringify(rows)
    for (const secret of [key, value, second]) expect(text).not.toContain(String(secret).slice(10, 40))
    const verdict = await ask('GET', 'admin/audit/verify')
    expect(verdict).toMatchObject({ ok: true, problem: null })
    const { seq } = verdict.head as { seq: number }
    expect(await ask('GET', `admin/audit/verify?seq=${seq}&hash=${'0'.repeat(64)}`)).toMatchObject({
      ok: false,
      problem: { seq, what: 'altered' },
    })
    expect((await ask('GET', `admin/audit/verify?seq=${seq}`)).status).toBe(400)
  })

  test('V3 every route is in the document', async () => {
    const { paths } = (await (await fetch(`${parley.url}/openapi.json`)).json()) as { paths: Record<string, Json> }
    expect(Object.keys(paths['/v1/admin/tenants/{id}'] ?? {})).toEqual(['get', 'patch', 'delete'])
    expect(Object.keys(paths['/v1/admin/tenants/{id}/keys/{keyId}'] ?? {})).toEqual(['delete'])
    expect(JSON.stringify(paths['/v1/admin/plans/{name}'])).toContain('tokensPerMinute')
    expect(Object.keys(paths)).toContain('/v1/admin/audit/verify')
  })
})
