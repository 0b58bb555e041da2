import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { MOST_CONSOLES } from '../../src/http/console/live.ts'
import { keys } from '../../src/store/keys.ts'
import { ms } from '../../src/units.ts'
import type { EndedRow, JobsNow, LiveRow, MoneyNow, NodeView, SessionsNews, Tick } from '../../src/wire/console.ts'
import { Caller } from '../support/caller.ts'
import { eventually } from '../support/eventually.ts'
import { JobHand } from '../support/job-hand.ts'
import { newJob } from '../support/jobs.ts'
import { NodeProcess } from '../support/node-process.ts'
import { admin, demo, other, Parley } from '../support/parley.ts'
import { PrivateRedis } from '../support/private-redis.ts'

const SECRET_WORDS = 'Nobody but the two of us may know this sentence.'

/** What the live stream has told, event by event. */
class Reader implements Disposable {
  /** Sessions that were told to be gone. */
  readonly gone = new Set<string>()
  readonly #stop = new AbortController()
  readonly #parts: AsyncIterator<string>
  #rest = ''

  private constructor(response: Response, stop: AbortController) {
    this.#stop = stop
    this.#parts = (response.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream() as never)
      [Symbol.asyncIterator]() as AsyncIterator<string>
  }

  static async open(url: string): Promise<Reader> {
    const stop = new AbortController()
    const headers = { Authorization: `Bearer ${admin.key}` }
    const response = await fetch(`${url}/v1/admin/live`, { headers, signal: stop.signal })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('cache-control')).toBe('no-store')
    return new Reader(response, stop)
  }

  /** The first data of such an event that is wanted. */
  async until<T>(name: string, wanted: (data: T) => boolean = () => true): Promise<T> {
    for (;;) {
      for (let end = this.#rest.indexOf('\n\n'); end >= 0; end = this.#rest.indexOf('\n\n')) {
        const [, event, text] = /^event: (\w+)\ndata: (.*)$/.exec(this.#rest.slice(0, end)) ?? []
        this.#rest = this.#rest.slice(end + 2)
        if (text === undefined) continue
        if (event === 'sessions') for (const id of (JSON.parse(text) as SessionsNews).gone) this.gone.add(id)
        if (event !== name) continue
        const data = JSON.parse(text) as T
        if (wanted(data)) return data
      }
      const { value, done } = await this.#parts.next()
      if (done === true) throw new Error(`the stream ended before ${name}`)
      this.#rest += value
    }
  }

  /** Its row once it is told as wanted. */
  async session(id: string, wanted: (row: LiveRow) => boolean = () => true): Promise<LiveRow> {
    const isIt = (row: LiveRow) => row.id === id && wanted(row)
    const { set } = await this.until<SessionsNews>('sessions', (news) => news.set.some(isIt))
    return set.find(isIt) as LiveRow
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }
}

describe('what operators see', () => {
  let here: Parley
  let there: Parley
  beforeAll(async () => {
    const plans = { default: { limits: { session: { budget: '$1' }, tenant: { tokensPerMinute: 1_000_000 } } } }
    const tenants = {
      acme: { keys: [{ id: keyIdOf(demo.key), hash: demo.hash }], limits: { tenant: { perDay: '$5' } } },
      zenith: { keys: [{ id: keyIdOf(other.key), hash: other.hash }] },
    }
    const objective = { perDay: '$100', steps: [{ at: 100, maxOutputTokens: 100 }] }
    const policy = { plans, tenants, objective } as never
    here = await Parley.start({ policy })
    there = await Parley.start({ policy, store: here.store })
  })
  afterAll(async () => {
    await there[Symbol.asyncDispose]()
    await here[Symbol.asyncDispose]()
  })

  const get = async (path: string, key = admin.key) => {
    const response = await fetch(`${here.url}/v1/${path}`, { headers: { Authorization: `Bearer ${key}` } })
    // biome-ignore lint/suspicious/noExplicitAny: tests look wherever they want
    return { status: response.status, ...((await response.json()) as any) }
  }
  const end = (id: string) =>
    fetch(`${here.url}/v1/sessions/${id}/end`, { method: 'POST', headers: { Authorization: `Bearer ${admin.key}` } })
  const introduced = async (caller: Caller) => String((await caller.next('parley.session')).session_id)

  test.each(['admin/live', 'admin/sessions/x', 'admin/jobs', 'admin/tenants/acme/jobs/x/result'])(
    'V2 %s is for the operator’s key alone',
    async (path) => {
      expect(await get(path, demo.key)).toMatchObject({ status: 403, error: { code: 'forbidden' } })
      expect(await get(path, 'nonsense')).toMatchObject({ status: 401 })
    },
  )

  test('V2 sessions of all nodes are told with who, clocks, buckets and cost, then as they change, then that they are gone', async () => {
    using one = await Caller.connect(here.door('model=gpt-realtime&parley=1'), demo.key)
    using two = await Caller.connect(there.door('model=gpt-realtime&parley=1'), other.key)
    const [first, second] = [await introduced(one), await introduced(two)]
    using live = await Reader.open(here.url)
    const row = await live.session(first)
    expect(row).toMatchObject({
      ...{ tenant: 'acme', user: null, model: 'gpt-realtime', served: 'gpt-realtime', phase: 'live', plan: 'default' },
      ...{ usage: { responses: 0, cost_nano_usd: 0 }, throttled: 0 },
    })
    expect(row.ends_at).toBeGreaterThan(row.admitted_at)
    expect(row.idle_ends_at).toBeGreaterThan(row.admitted_at)

    const nodes = await live.until<NodeView[]>('nodes', (all) => all.length === 2)
    expect(nodes.map(({ sessions, draining, unlisted }) => ({ sessions, draining, unlisted }))).toEqual([
      { sessions: 1, draining: false, unlisted: 0 },
      { sessions: 1, draining: false, unlisted: 0 },
    ])
    await two.ask(SECRET_WORDS)
    const spent = await live.session(second, ({ usage, money }) => usage.responses === 1 && (money?.used ?? 0) > 0)
    expect(spent.node).not.toBe(row.node)
    expect(spent.usage.cost_nano_usd).toBeGreaterThan(0)
    expect(spent.money).toMatchObject({ account: 'session', limit: 'budget', cap: 1_000_000_000 })
    expect(spent.rate).toMatchObject({ account: 'tenant', limit: 'tokens', cap: 1_000_000 })

    expect((await end(second)).status).toBe(200)
    await live.until<SessionsNews>('sessions', ({ gone }) => gone.includes(second))
    const ended = await live.until<EndedRow[]>('ended', (rows) => rows.some(({ id }) => id === second))
    expect(ended[0]).toMatchObject({ id: second, tenant: 'zenith', reason: 'ended_by_operator', node: spent.node })
    expect(ended[0]?.cost_nano_usd).toBe(spent.usage.cost_nano_usd)
  })

  test('V2 a session’s time line comes from the node that holds it, without content, and is kept a while after its end', async () => {
    using caller = await Caller.connect(there.door('model=gpt-realtime&parley=1'), demo.key)
    const id = await introduced(caller)
    await caller.ask(SECRET_WORDS)
    await caller.next('parley.usage')
    const look = await get(`admin/sessions/${id}`)
    expect(look).toMatchObject({
      status: 200,
      session: { id, tenant: 'acme', phase: 'live' },
      timeline: { forgotten: 0 },
    })
    const types = look.timeline.entries.map(({ from, type }: Record<string, string>) => `${from} ${type}`)
    expect(types).toEqual(
      expect.arrayContaining([
        ...['parley phase.live', 'parley parley.session', 'caller conversation.item.create', 'caller response.create'],
        ...['provider response.created', 'provider response.done', 'parley parley.usage'],
      ]),
    )
    const booked = look.timeline.entries.find(({ type }: { type: string }) => type === 'parley.usage')
    expect(booked.cost_nano_usd).toBe((await caller.next('parley.usage')).cost_nano_usd)
    expect(JSON.stringify(look)).not.toMatch(/Nobody|characters/)
    expect(look.buckets.map(({ account, limit }: Record<string, string>) => `${account} ${limit}`)).toEqual([
      'session budget',
      'tenant tokens',
      'tenant day',
    ])

    caller.socket.close(1000)
    await caller.closed()
    for (;;) if ((await get(`admin/sessions/${id}`)).session.phase === 'ended') break
    const over = await get(`admin/sessions/${id}`)
    expect(over.timeline.entries.at(-1)).toMatchObject({ type: 'phase.ended', note: 'caller_hung_up' })
    expect(await get('admin/sessions/nobody')).toMatchObject({ status: 404, error: { code: 'session_not_found' } })
  })

  test('V2 money: what was spent today, budgets by how near their end they are, the spend objective', async () => {
    using live = await Reader.open(there.url)
    const money = await live.until<MoneyNow>('money')
    const usage = (await (
      await fetch(`${here.url}/v1/limits`, { headers: { Authorization: `Bearer ${admin.key}` } })
    ).json()) as { data: { money: { limit: string; spent: { nano: number } }[] }[] }
    const today = usage.data[0]?.money.find(({ limit }) => limit === 'day')?.spent.nano
    expect(money.spent_today_nano_usd).toBe(today)
    expect(money.budgets.map(({ id, limit, cap }) => ({ id, limit, cap }))).toEqual(
      expect.arrayContaining([
        { id: 'acme', limit: 'day', cap: 5_000_000_000 },
        { id: 'zenith', limit: 'tokens', cap: 1_000_000 },
      ]),
    )
    expect(money.objective).toMatchObject({ per_day_nano_usd: 100_000_000_000, step: 0, time_zone: 'UTC' })
  })

  test('V2 refusals are counted by node', async () => {
    using stranger = new Caller(here.door('model=no-such-model'), demo.key)
    await stranger.next('error')
    using live = await Reader.open(there.url)
    const nodes = await live.until<NodeView[]>('nodes', (all) => all.some(({ counts }) => counts.refused.length > 0))
    expect(nodes.flatMap(({ counts }) => counts.refused)).toEqual([{ code: 'model_not_found', count: 1 }])
  })

  test('V2 jobs of all tenants stand in one order, newest first, page by page', async () => {
    const { jobs } = new JobHand(here.store)
    const begin = systemClock.now() - 60_000
    const made: string[] = []
    for (let i = 0; i < 60; i++) {
      const type = i % 10 === 0 ? ('image.prepare' as const) : ('audio.transcribe' as const)
      const job = newJob(i % 3 === 0 ? 'zenith' : 'acme', ms(begin + i) as never, { type })
      await jobs.create(job, null, ms(1))
      made.unshift(job.id)
    }
    const seen: string[] = []
    let after = ''
    for (;;) {
      const page = await get(`admin/jobs?limit=25&after=${after}`)
      seen.push(...page.data.map(({ id }: { id: string }) => id))
      if (page.next === null) break
      after = page.next
    }
    expect(seen).toEqual(made)
    const pictures = await get('admin/jobs?type=image.prepare&limit=4')
    expect(pictures.data.map(({ id }: { id: string }) => id)).toEqual(made.filter((_, i) => i % 10 === 9).slice(0, 4))
    const rest = await get(`admin/jobs?type=image.prepare&limit=4&after=${pictures.next}`)
    expect(rest).toMatchObject({ next: null, data: [{}, {}] })
    expect((await get('admin/jobs?tenant=zenith&status=queued&limit=200')).data).toHaveLength(20)

    using live = await Reader.open(here.url)
    const now = await live.until<JobsNow>('jobs')
    expect(now.counts).toMatchObject({ queued: 60, processing: 0 })
    expect(now.oldest_waiting_at).toBe(Math.floor(begin))
    expect(now.tenants).toEqual([
      { tenant: 'acme', waiting: 40, running: 0 },
      { tenant: 'zenith', waiting: 20, running: 0 },
    ])
  })

  test('V2 the result of a job is shown when asked for, and the look is written down', async () => {
    const hand = new JobHand(here.store)
    const made = await hand.jobs.create(newJob('acme', systemClock.now()), null, ms(1))
    if (made.type !== 'created') throw new Error(made.type)
    const { id } = made.job
    await hand.end(await hand.start(id), { json: { text: SECRET_WORDS } })
    const list = await get('admin/jobs?status=succeeded')
    expect(list.data).toMatchObject([{ id, tenant: 'acme', stage: 'done', error: null }])
    expect(JSON.stringify(list)).not.toContain(SECRET_WORDS)
    expect(await get(`admin/tenants/acme/jobs/${id}/result`)).toMatchObject({
      type: 'inline',
      value: { text: SECRET_WORDS },
    })
    expect((await get(`admin/tenants/zenith/jobs/${id}/result`)).status).toBe(404)
    const audit = await get('admin/audit?limit=1000')
    const looks = audit.data.filter(({ kind }: { kind: string }) => kind === 'job.result_read')
    expect(looks).toMatchObject([{ actor: 'operator', tenant: 'acme', subject: id }])
  })

  test('V2 a node serves so many consoles at once, and has room again when one is gone', async () => {
    const open: Reader[] = []
    for (let i = 0; i < MOST_CONSOLES; i++) open.push(await Reader.open(here.url))
    expect(await get('admin/live')).toMatchObject({ status: 429, error: { code: 'rate_limit_exceeded' } })
    for (const each of open) each[Symbol.dispose]()
    for (;;) {
      const stop = new AbortController()
      const again = await fetch(`${here.url}/v1/admin/live`, {
        headers: { Authorization: `Bearer ${admin.key}` },
        signal: stop.signal,
      })
      stop.abort()
      if (again.status === 200) break
    }
  })

  test('S7 a console that looks does not hold up a node that stops', async () => {
    const leaving = await Parley.start({ store: here.store })
    using live = await Reader.open(leaving.url)
    await live.until<Tick>('tick')
    await leaving[Symbol.asyncDispose]()
    await expect(live.until<Tick>('no such event')).rejects.toThrow()
  })

  test('V2 the workers of a node are no node of their own, and nobody is called silent because of them', async () => {
    await using stack = new AsyncDisposableStack()
    const redis = stack.use(await PrivateRedis.start())
    const node = await NodeProcess.start({ provider: here.loopback.baseUrl, redis: redis.url }, stack)
    const client = new Redis({ path: redis.url.slice('unix:'.length) })
    stack.defer(() => client.disconnect())
    await eventually(async () => expect(await client.zcard(keys.beats)).toBe(2), 10_000)
    using live = await Reader.open(node.url)
    expect(await live.until<NodeView[]>('nodes')).toHaveLength(1)
    expect((await live.until<Tick>('tick')).silent).toEqual([])
  })

  test('V2 a node that stands still is named, and its sessions stay where they are until it is known to be gone', async () => {
    await using stack = new AsyncDisposableStack()
    const { url: redis } = stack.use(await PrivateRedis.start())
    const options = { provider: here.loopback.baseUrl, redis, only: 'broker' } as const
    const [shown, frozen] = await Promise.all([NodeProcess.start(options, stack), NodeProcess.start(options, stack)])
    using caller = await Caller.connect(frozen.door('model=gpt-realtime&parley=1'), demo.key)
    const id = await introduced(caller)
    using live = await Reader.open(shown.url)
    const { node } = await live.session(id)
    frozen.kill('SIGSTOP')
    await live.until<Tick>('tick', ({ silent }) => silent.includes(node))
    expect((await live.until<NodeView[]>('nodes')).map((view) => view.id)).toContain(node)
    expect(live.gone).not.toContain(id)
    frozen.kill('SIGCONT')
    await live.until<Tick>('tick', ({ silent }) => !silent.includes(node))
    await caller.ask('are you back?')
    expect((await live.session(id, ({ usage }) => usage.responses === 1)).node).toBe(node)
    expect(live.gone).not.toContain(id)
  })

  test('V2 while Redis is away a node still tells of its own sessions, and says what is missing', async () => {
    await using alone = await Parley.start()
    using caller = await Caller.connect(alone.door('model=gpt-realtime&parley=1'), demo.key)
    const id = await introduced(caller)
    using live = await Reader.open(alone.url)
    await live.session(id)
    alone.store.redis.disconnect()
    const tick = await live.until<Tick>('tick', ({ missing }) => missing.length === 3)
    expect(tick.missing).toEqual(['nodes', 'jobs', 'money'])
    expect(tick.silent).toEqual([])
  })
})

const keyIdOf = (key: string): string => key.split('_')[2] as string
