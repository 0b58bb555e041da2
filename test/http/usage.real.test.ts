import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ClientSecrets } from '../../src/auth/client-secrets.ts'
import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { createApp } from '../../src/http/app.ts'
import { correctionRoutes, type PricedModel } from '../../src/http/corrections.ts'
import { estimateRoutes } from '../../src/http/estimates.ts'
import { limitRoutes } from '../../src/http/limits.ts'
import { priceRoutes } from '../../src/http/prices.ts'
import { usageRoutes } from '../../src/http/usage.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { openLedger } from '../../src/ledger/open-ledger.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { type AccountState, UNLIMITED } from '../../src/limits/limits.ts'
import type { MediaFile } from '../../src/media/media-file.ts'
import { Metrics } from '../../src/metrics.ts'
import { connectRedis } from '../../src/store/redis.ts'
import { ms, nanoUsd, tokens } from '../../src/units.ts'
import { admin, demo, other, policy, silent, TempFolder } from '../support/parley.ts'
import { rowOf, SHEET } from '../support/prices.ts'
import { noon, posted, record, silence } from '../support/records.ts'

const RANGE = 'from=2026-11-01&to=2026-11-30'

describe('the HTTP door to the ledger', () => {
  const stack = new AsyncDisposableStack()
  let ledger: Ledger
  let app: ReturnType<typeof createApp>
  let isHere = true

  beforeAll(async () => {
    const folder = stack.use(new TempFolder())
    ledger = stack.use(await openLedger({ type: 'sqlite', file: join(folder.path, 'ledger.db') }, silent))
    const media = {
      'whisper-1': 'transcription',
      'gpt-4o-transcribe': 'transcription',
      'gpt-6.1-sol': 'vision',
    } as const
    const models = Object.fromEntries(Object.entries(media).map(([name, kind]) => [name, { provider: 'play', kind }]))
    const config = configFrom(policy(null, folder.path, { models }))
    // Keys are checked without Redis; nothing here needs one.
    const secrets = new ClientSecrets(connectRedis('unix:/nowhere', silent))
    const viewer = { config: () => config, clock: systemClock, secrets }
    const unready = async () => null
    app = createApp({ log: silent, metrics: new Metrics(), unready })
    const pricedModel = (model: string): PricedModel | null =>
      SHEET.priceFor('openai', model, systemClock.now()) === null
        ? null
        : { provider: 'openai', providerModel: model, row: rowOf(model) }
    usageRoutes(app, { ...viewer, ledger: () => (isHere ? ledger : null) })
    const probed = { kind: 'audio', format: 'wav', mime: 'audio/wav', duration: ms(120_000), channels: 1 } as const
    const looked = { ...probed, width: null, height: null, pages: null }
    const ownFile = async (tenant: string, id: string) =>
      tenant === 'acme' && id === 'file_known' ? ({ media: looked } as unknown as MediaFile) : null
    estimateRoutes(app, { ...viewer, pricedModel, ownFile })
    priceRoutes(app, { ...viewer, prices: () => SHEET })
    correctionRoutes(app, {
      ...viewer,
      ledger: () => ledger,
      pricedModel,
      book: async (record) => (await ledger.append(posted(record))) > 0,
      sessionOwner: async (id) => (id === 'sess_known' ? { tenant: 'zenith', user: 'zed', keyId: 'k' } : null),
    })
    const state: AccountState = {
      ...{ kind: 'tenant', id: 'acme', sessions: 3, startsLastMinute: 2 },
      limits: { ...UNLIMITED, sessions: 5, tokensPerMinute: tokens(1_000), perDay: nanoUsd(2_000_000_000) },
      ...{ tokensLastMinute: tokens(600), tokensHeld: tokens(500), tokensRefillAt: noon('2026-11-25') },
      money: [{ limit: 'day', spent: nanoUsd(500_000_000), held: nanoUsd(1) }],
    }
    limitRoutes(app, {
      ...viewer,
      limits: {
        state: async (accounts: readonly unknown[]) => accounts.map(() => state),
      } as Partial<LimitStore> as LimitStore,
      accountsOf: (principal) =>
        principal === null ? [] : [{ kind: 'tenant', id: principal.tenant, limits: UNLIMITED }],
    })
    await ledger.append(
      posted(
        record({ user: 'ann', savings: [silence] }),
        record({ providerId: 'resp_2', user: '=cmd|"/c calc"!A1', cost: nanoUsd(500), estimated: true }),
        record({ session: 'sess_2', at: noon('2026-11-26'), cost: nanoUsd(1) }),
        record({ session: 'sess_z', tenant: 'zenith', user: 'zed', cost: nanoUsd(9_000) }),
        record({ session: 'sess_g', basis: 'estimate', estimated: true, cost: nanoUsd(40), at: noon('2026-11-27') }),
      ),
    )
  })
  afterAll(() => stack.disposeAsync())

  const request = (key: string, path: string, init: RequestInit = {}) =>
    app.request(path, { ...init, headers: { Authorization: `Bearer ${key}`, ...init.headers } })
  const json = async (key: string, path: string) => (await (await request(key, path)).json()) as Page
  const post = async (key: string, path: string, body: object) => {
    const headers = { 'Content-Type': 'application/json' }
    const response = await request(key, path, { method: 'POST', body: JSON.stringify(body), headers })
    return { status: response.status, body: (await response.json()) as never }
  }
  interface Page {
    data: { tenant: string; user: string | null; session: string; requests: number; cost: { nano: number } }[]
    next: string | null
  }

  test('M5 a tenant sees its own usage, with its cost, its guesses and its savings; the operator sees all', async () => {
    expect(await json(demo.key, `/v1/usage?${RANGE}`)).toMatchObject({
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-12-01T00:00:00.000Z',
      data: [
        {
          day: '2026-11-25',
          requests: 2,
          tokens: { input: { text: 20, audio: 40 }, cached: { text: 8 }, output: { audio: 60 }, weighted: 154 },
          cost: { nano: 1_500, usd: '0.0000015' },
          estimated: { requests: 1, nano: 500, share: 0.3333 },
          savings: [
            {
              kind: 'silence_not_sent',
              counterfactual: 'silence_committed_as_audio',
              quantity: 1_500,
              saved: { nano: 480, usd: '0.00000048' },
            },
          ],
        },
        { day: '2026-11-26', requests: 1, cost: { nano: 1 } },
        { day: '2026-11-27', estimated: { share: 1 } },
      ],
      next: null,
    })
    const all = await json(admin.key, `/v1/usage?${RANGE}&group_by=tenant`)
    expect(all.data.map((row) => [row.tenant, row.cost.nano])).toEqual([
      ['acme', 1_541],
      ['zenith', 9_000],
    ])
    expect((await json(admin.key, `/v1/usage?${RANGE}&group_by=&tenant=zenith`)).data).toMatchObject([{ requests: 1 }])
  })

  test('M5 nothing a tenant can ask for shows another tenant', async () => {
    for (const query of ['group_by=session', 'group_by=tenant,user', 'session=sess_z', 'user=zed', 'group_by=']) {
      const page = await json(other.key, `/v1/usage?${RANGE}&${query}`)
      expect(
        page.data.reduce((sum, row) => sum + row.requests, 0),
        query,
      ).toBe(1)
      const mine = await json(demo.key, `/v1/usage?${RANGE}&${query}`)
      expect(JSON.stringify(mine.data), query).not.toMatch(/zenith|zed|sess_z|9000/)
    }
    expect((await request(demo.key, `/v1/usage?${RANGE}&tenant=zenith`)).status).toBe(403)
    expect((await request('nonsense', `/v1/usage?${RANGE}`)).status).toBe(401)
    expect((await request('ek_secret', `/v1/usage?${RANGE}`)).status).toBe(403)
  })

  test('M5 pages follow one another without a gap, and a cursor of another grouping is refused', async () => {
    const seen: string[] = []
    let after = ''
    for (;;) {
      const page = await json(admin.key, `/v1/usage?${RANGE}&group_by=day,session&limit=2${after}`)
      expect(page.data.length).toBeLessThanOrEqual(2)
      seen.push(...page.data.map((row) => row.session))
      if (page.next === null) break
      after = `&after=${page.next}`
    }
    expect(seen).toEqual(['sess_1', 'sess_z', 'sess_2', 'sess_g'])
    expect((await request(admin.key, `/v1/usage?${RANGE}&group_by=tenant${after}`)).status).toBe(400)
    expect((await request(admin.key, `/v1/usage?${RANGE}&after=%25`)).status).toBe(400)
  })

  test.each(['limit=10001', 'limit=0', 'group_by=colour', 'from=yesterday', 'from=2026-12-01&to=2026-11-01'])(
    'M5 a query with %s is refused',
    async (query) => {
      expect((await request(demo.key, `/v1/usage?${query}`)).status).toBe(400)
    },
  )

  test('M5 as CSV the numbers are numbers, and no name is taken for a formula', async () => {
    const response = await request(demo.key, `/v1/usage?${RANGE}&group_by=user,session&limit=3`, {
      headers: { Accept: 'text/csv' },
    })
    expect(response.headers.get('content-type')).toContain('text/csv')
    expect(response.headers.get('link')).toMatch(/after=[\w-]+.*rel="next"/)
    const lines = (await response.text()).split('\r\n')
    const header = lines[0]?.split(',') ?? []
    const cells = (lines[2] ?? '').match(/"(?:[^"]|"")*"|[^,]+/g) ?? []
    expect(header.slice(0, 3)).toEqual(['user', 'session', 'requests'])
    expect(lines[1]?.startsWith('"","sess_2",1,')).toBe(true)
    expect(lines[3]?.startsWith(`"'=cmd|""/c calc""!A1","sess_1",1,`)).toBe(true)
    expect(cells[header.indexOf('cost_nano_usd')]).toBe('40')
    expect(cells[header.indexOf('cost_usd')]).toBe('0.00000004')
    expect(cells.length).toBe(header.length)
    const whole = await (await request(demo.key, `/v1/usage?${RANGE}&group_by=user&format=csv`)).text()
    expect(whole.split('\r\n').find((line) => line.startsWith('"ann"'))).toContain('480,"silence_committed_as_audio"')
  })

  test('M5 a node without the ledger says so instead of showing nothing', async () => {
    isHere = false
    const response = await request(admin.key, '/v1/usage')
    isHere = true
    expect(response.status).toBe(503)
  })

  test('M5 an estimate shows re-reading, caching and what Parley changes, and names its price', async () => {
    const turns = { model: 'gpt-realtime-2.1', turns: 20, user_seconds: 5, assistant_seconds: 5, pause_seconds: 2 }
    const { status, body } = await post(demo.key, '/v1/estimates', { ...turns, instructions_tokens: 0 })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      turns: 20,
      with_parley: { cached: { output_tokens: 2_300 }, uncached: { cached_tokens: 0 } },
      saved: { cached: { nano: 0 } },
      price_rows: [{ id: 'openai/gpt-realtime-2.1', confidence: 'docs' }],
    })
    const { with_parley, by_turn } = body as {
      with_parley: Record<'cached' | 'uncached', { cost: { nano: number }; resent_cost: { nano: number } }>
      by_turn: { cost_cached: { nano: number }; cost_uncached: { nano: number } }[]
    }
    expect(with_parley.uncached.cost.nano).toBeGreaterThan(with_parley.cached.cost.nano * 5)
    expect(with_parley.uncached.resent_cost.nano).toBeGreaterThan(with_parley.uncached.cost.nano / 2)
    expect(by_turn.reduce((sum, turn) => sum + turn.cost_uncached.nano, 0)).toBe(with_parley.uncached.cost.nano)

    const open = await post(demo.key, '/v1/estimates', { ...turns, turn_detection: false })
    expect((open.body as { saved: { uncached: { nano: number } } }).saved.uncached.nano).toBeGreaterThan(0)
  })

  test('M5 for a model billed by its open time an idle session costs until the cutoff, and to its end without Parley', async () => {
    const plan = { model: 'gpt-live-1', minutes: 1, idle_minutes: 10, idle_limit_seconds: 60, sessions: 100 }
    const { body } = await post(admin.key, '/v1/estimates', plan)
    // $0.05 a minute: nine of ten idle minutes are cut, in each of a hundred sessions.
    expect(body).toMatchObject({ saved: { cached: { usd: '45' }, uncached: { usd: '45' } } })
    const side = { idle_cost: { usd: '5' }, resent_tokens: 0 }
    expect(body).toMatchObject({
      with_parley: { cached: side },
      without_parley: { cached: { idle_cost: { usd: '50' } } },
    })
  })

  test.each([
    [{ model: 'nobody', turns: 1 }, 404],
    [{ model: 'gpt-realtime' }, 400],
    [{ model: 'gpt-realtime', turns: 1, minutes: 1 }, 400],
    [{ model: 'gpt-realtime', turns: 1_001 }, 400],
    [{ model: 'gpt-realtime', minutes: 1_440 }, 400],
    [{ model: 'gpt-realtime', minutes: 1, user_seconds: 0, assistant_seconds: 0, pause_seconds: 0 }, 400],
    [{ model: 'gpt-realtime', turns: 1_000, user_seconds: 600, assistant_seconds: 600, sessions: 100_000 }, 400],
  ])('M5 an estimate of %j is refused with %i', async (body, status) => {
    expect((await post(demo.key, '/v1/estimates', body)).status).toBe(status)
  })

  test('M5 M4 an estimate for recordings: what silence would have cost, and by which price', async () => {
    const plan = { type: 'audio.transcribe', model: 'whisper-1', seconds: 3_600, speech_share: 0.5, count: 2 }
    const { status, body } = await post(demo.key, '/v1/estimates', plan)
    expect(status).toBe(200)
    // $0.006 a minute.
    expect(body).toMatchObject({
      ...{ object: 'parley.media_estimate', provider: 'play', count: 2, picture: null },
      with_parley: { requests: 6, audio_seconds: 3_600, cost: { usd: '0.36' } },
      without_parley: { requests: 10, audio_seconds: 7_200, cost: { usd: '0.72' } },
      ...{ saved: { usd: '0.36' }, price_rows: [{ id: 'openai/whisper-1' }] },
    })
  })

  test('M5 the length of a recording comes from its file; nobody sees the files of others', async () => {
    const plan = { type: 'audio.transcribe', file_id: 'file_known' }
    const { body } = await post(demo.key, '/v1/estimates', plan)
    expect(body).toMatchObject({ model: 'whisper-1', without_parley: { audio_seconds: 120 } })
    expect((await post(other.key, '/v1/estimates', plan)).status).toBe(404)
  })

  test('M5 M4 an estimate for pictures: the size that would be sent, and the tokens that would not', async () => {
    const plan = { type: 'image.describe', width: 4_000, height: 3_000, count: 10 }
    const { body } = await post(demo.key, '/v1/estimates', plan)
    const { picture, saved, with_parley, without_parley } = body as {
      picture: { tokens: number; tokens_without_parley: number; width: number }
      saved: { nano: number }
      with_parley: { cost: { nano: number } }
      without_parley: { cost: { nano: number } }
    }
    expect(picture.tokens).toBeLessThan(picture.tokens_without_parley / 4)
    expect(picture.width).toBeLessThan(4_000)
    expect(saved.nano).toBe(without_parley.cost.nano - with_parley.cost.nano)
    // $2 a million.
    expect(saved.nano).toBe((picture.tokens_without_parley - picture.tokens) * 10 * 2_000)
    const text = await post(demo.key, '/v1/estimates', { ...plan, text_x_height_px: 12 })
    expect((text.body as { picture: { tokens: number } }).picture.tokens).toBeGreaterThan(picture.tokens)
  })

  test.each([
    [{ type: 'audio.transcribe' }, 400],
    [{ type: 'audio.transcribe', seconds: 10, model: 'gpt-6.1-sol' }, 404],
    [{ type: 'audio.transcribe', file_id: 'file_none' }, 404],
    [{ type: 'image.describe', width: 100 }, 400],
    [{ type: 'image.describe', width: 100, height: 100, turns: 3 }, 400],
    [{ type: 'video.audio' }, 400],
  ])('M5 an estimate of %j is refused with %i', async (body, status) => {
    expect((await post(demo.key, '/v1/estimates', body)).status).toBe(status)
  })

  test('M2 the price sheet can be read', async () => {
    const { data } = (await json(demo.key, '/v1/prices?provider=openai&model=gpt-realtime-2.1')) as never as {
      data: object[]
    }
    expect(data).toMatchObject([
      { prices: { textCachedIn: { pico_usd: 400_000, per: 1 } }, source: expect.any(String) },
    ])
  })

  test('M3 late truths are booked once for ever, in the place of what was guessed', async () => {
    const usage = {
      input_tokens: 132,
      output_tokens: 121,
      input_token_details: {
        text_tokens: 119,
        audio_tokens: 13,
        cached_tokens: 64,
        cached_tokens_details: { text_tokens: 64 },
      },
      output_token_details: { text_tokens: 30, audio_tokens: 91 },
    }
    const item = { model: 'gpt-realtime-2.1', usage, at: '2026-11-27T12:00:01Z' }
    const data = [
      { ...item, session: 'sess_g', provider_id: 'resp_1' },
      { ...item, session: 'sess_g', provider_id: 'resp_2' },
      { ...item, session: 'sess_known', provider_id: 'resp_1' },
      { ...item, session: 'sess_1', provider_id: 'resp_1' },
      { ...item, session: 'sess_nobody', provider_id: 'resp_1' },
      { ...item, session: 'sess_g', provider_id: 'resp_3', model: 'nobody' },
    ]
    const outcomes = async () => {
      const { body } = await post(admin.key, '/v1/usage/corrections', { data })
      return (body as { data: { outcome: string; cost_nano: number | null }[] }).data.map(
        (r) => `${r.outcome} ${r.cost_nano}`,
      )
    }
    const cost = 7_205_600 // pricing.md §1.2, example 1
    expect(await outcomes()).toEqual([
      `booked ${cost}`,
      `booked ${cost}`,
      `booked ${cost}`,
      'already_booked null',
      'unknown_session null',
      'unknown_model null',
    ])
    expect((await outcomes()).slice(0, 3)).toEqual(Array(3).fill('already_booked null'))
    const rows = await json(admin.key, '/v1/usage?from=2026-11-27&to=2026-11-27&group_by=tenant,session')
    expect(rows.data).toMatchObject([
      { session: 'sess_g', requests: 2, cost: { nano: 2 * cost }, estimated: { nano: 0 } },
      { session: 'sess_known', tenant: 'zenith', cost: { nano: cost } },
    ])
    expect((await post(demo.key, '/v1/usage/corrections', { data })).status).toBe(403)
  })

  test('L1 limits are shown with what is left and when there is more', async () => {
    expect(await json(demo.key, '/v1/limits')).toMatchObject({
      data: [
        {
          sessions: { limit: 5, now: 3, left: 2 },
          starts_per_minute: { limit: null, left: null },
          tokens_per_minute: { left: 0, held: 500, refills_at: '2026-11-25T12:00:00.000Z' },
          money: [{ limit: 'day', cap: { usd: '2' }, left: { nano: 1_499_999_999 } }],
        },
      ],
    })
  })

  test('V3 the document of all routes has these', async () => {
    const document = (await (await app.request('/openapi.json')).json()) as { paths: object }
    for (const path of ['/v1/usage', '/v1/usage/corrections', '/v1/estimates', '/v1/prices', '/v1/limits']) {
      expect(Object.keys(document.paths)).toContain(path)
    }
  })
})
