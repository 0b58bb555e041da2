import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { LivePolicy } from './admin/live-policy.ts'
import type { AuditEntry } from './audit/audit.ts'
import { AuditLog } from './audit/audit-log.ts'
import { ClientSecrets } from './auth/client-secrets.ts'
import { Admission } from './broker/entry/admission.ts'
import { Door } from './broker/entry/door.ts'
import { endRevoked } from './broker/entry/revocation.ts'
import { Bookkeeper } from './broker/money/bookkeeper.ts'
import { LeaseBeat } from './broker/money/lease-beat.ts'
import { moneyNow } from './broker/money/money-now.ts'
import { accountsOfSession, accountsOfViewer } from './broker/money/session-accounts.ts'
import { Till } from './broker/money/till.ts'
import { Board } from './broker/node/board.ts'
import { Directory } from './broker/node/directory.ts'
import { Inquiries } from './broker/node/inquiries.ts'
import { NodeReporter } from './broker/node/node-reporter.ts'
import { RecordKeeper } from './broker/node/record-keeper.ts'
import { ClusterRegistry } from './broker/node/registry.ts'
import { lookAt } from './broker/node/session-look.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config/config.ts'
import { certificateFor } from './config/tls.ts'
import { createApp } from './http/app.ts'
import { openDropIns } from './http/drop-ins/open-drop-ins.ts'
import { Underway } from './http/drop-ins/underway.ts'
import { openMediaDoor } from './http/media/open-media-door.ts'
import { installRoutes } from './http/routes.ts'
import { watchSender } from './http/slow-senders.ts'
import { Threshold } from './http/threshold.ts'
import { traceRequests } from './http/trace-requests.ts'
import type { LedgerDesk } from './ledger/ledger-desk.ts'
import { dayOf } from './ledger/period.ts'
import type { Log } from './log.ts'
import type { MediaTools } from './media/media-tools.ts'
import type { Metrics } from './metrics.ts'
import { Counters } from './store/counters.ts'
import { AllJobs } from './store/jobs/all-jobs.ts'
import { counterAccount, LedgerCounters } from './store/ledger-counters.ts'
import { MemoryWatch } from './store/memory-watch.ts'
import { Nodes } from './store/nodes.ts'
import { ObjectiveWatch } from './store/objective-watch.ts'
import { PolicyStore } from './store/policy-store.ts'
import { RedisLimitStore } from './store/redis-limit-store.ts'
import { type SessionHead, SessionRecords } from './store/session-records.ts'
import type { Store } from './store/store.ts'
import { TenantHooks } from './store/tenant-hooks.ts'
import { later, ms } from './units.ts'
import { Loopback } from './upstream/loopback/server.ts'
import { Upstreams } from './upstream/upstreams.ts'
import type { VoiceDetection } from './voice/detector.ts'
import { Announcer } from './webhooks/announcer.ts'
import { publishSessionEnd } from './webhooks/session-hooks.ts'
import { type TenantEvent, tellTenant } from './webhooks/tenant-news.ts'
import type { WebhookEvent } from './webhooks/webhook.ts'
import { WebhookQueue } from './webhooks/webhook-queue.ts'

export interface Surroundings {
  clock: Clock
  log: Log
  /** These two stay open for as long as the node runs, and are closed by whoever opened them. */
  store: Store
  voices: VoiceDetection
  metrics: Metrics
  /** Null where this process keeps no ledger. */
  ledger: LedgerDesk | null
  /** The work on media; null where this process does none, and then has no drop-ins. */
  tools?: MediaTools | null
  /** Of the built-in set-up, for the landing page; left out where keys are an operator's own. */
  demoKey?: string | null
}

/** A node at work. */
export interface Running {
  /** Base URLs of the listeners, in the order of the configuration. */
  urls: string[]
  /** What a client of the self-signed listener has to trust; null where there is none. */
  certFile: string | null
  /** Takes a new configuration for sessions to come; names what only a restart can change. */
  reload(next: Config): string[]
  /** No new sessions; the present ones end or move at a turn boundary; then everything is closed. */
  drain(): Promise<void>
  /** Ends everything without waiting. */
  stopNow(): void
}

/** Settings of the HTTP server against slow senders (reference: hardening, the edge). */
const HTTP = {
  headersTimeout: 10_000,
  // A whole request is watched by http/slow-senders.ts, which knows uploads from other bodies.
  requestTimeout: 0,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 8_192,
  connectionsCheckingInterval: 5_000,
}
const MOST_CONNECTIONS = 10_000
/** Of the time to drain, so much at most is kept for usage that comes after the last response was cut short, ms. */
const LAST_USAGE_MS = 3_000
/** How long callers have to answer the close frame of a node that stops, ms. */
const LAST_WORD_MS = 1_000

/** Starts a node: provider, doors. Throws with a plain sentence when something it needs is missing. */
export async function serve(
  config: Config,
  { clock, log, store, voices, metrics, ledger, demoKey = null, tools = null }: Surroundings,
): Promise<Running> {
  const stack = new AsyncDisposableStack()
  const nodeId = randomUUID()
  const { redis } = store

  const audit = stack.use(await AuditLog.open(join(config.dataDir, 'audit.db'), nodeId, clock, log))
  const policy = stack.use(
    new LivePolicy(config, new PolicyStore(redis, log), clock, log, () => endRevoked(directory, policy.config)),
  )

  const loopbackSocket = loopbackPath(config, nodeId)
  if ([...config.providers.values()].some((provider) => provider.type === 'loopback')) {
    stack.use(await Loopback.start({ listen: { socket: loopbackSocket }, clock, voices }))
  }

  const current = () => policy.config
  const queue = stack.use(new WebhookQueue(redis, () => current().webhooks))
  const news = { config: current, hooks: new TenantHooks(redis, () => clock.now()), queue }
  stack.use(new MemoryWatch(redis, clock, log, metrics.storeMemory))
  const records = new SessionRecords(redis, nodeId, (ended) => publishSessionEnd(news, ended))
  const secrets = new ClientSecrets(redis)
  const keeper = new RecordKeeper(clock, log, records, metrics)
  const directory = new Directory(clock, log, keeper, metrics, () => policy.config.door)
  stack.defer(() => directory.stop())
  await policy.start()
  const upstreams = new Upstreams(clock, log, loopbackSocket)
  const limits = new RedisLimitStore(redis)
  const books = stack.use(new Bookkeeper(nodeId, config.dataDir, limits, clock, log, metrics))
  stack.use(new LeaseBeat(clock, log, limits, () => directory.all().map((session) => session.head.id)))
  const tell = {
    operators: (event: WebhookEvent) => queue.publish(event),
    tenant: (tenant: string, event: TenantEvent) => tellTenant(news, tenant, event),
  }
  const announcer = new Announcer(redis, tell, clock, log)
  const till = new Till({
    config: current,
    clock,
    store: limits,
    keeper: books,
    metrics,
    budgetPassed: (level, head) => void announcer.budgetLevel(level, head),
  })
  const counters = new LedgerCounters(new Counters(redis))
  const spentToday = () => counters.spentOf(counterAccount({ kind: 'installation' }), dayOf(clock.now()))
  const objective = stack.use(
    new ObjectiveWatch({
      node: nodeId,
      redis,
      clock,
      log,
      metrics,
      objective: () => current().objective,
      spentToday,
      publish: (event) => queue.publish(event),
    }),
  )
  await objective.start()
  const admission = new Admission({
    config: current,
    clock,
    log,
    records,
    keeper,
    directory,
    upstreams,
    voices,
    audit,
    till,
    step: () => objective.step(),
  })

  const media = stack.use(await openMediaDoor({ config: current, clock, log, store, webhooks: queue, tools }))

  const threshold = new Threshold()
  const servers: Server[] = []
  let certFile: string | null = null
  for (const listener of config.listeners) {
    const certificate = await certificateFor(listener, config.dataDir, new Date(clock.now()))
    certFile ??= certificate?.certFile ?? null
    const server = certificate === null ? createServer(HTTP) : createTlsServer({ ...HTTP, ...certificate })
    server.maxConnections = MOST_CONNECTIONS
    const connections = connectionsOf(server)
    threshold.guard(server)
    await listen(server, listener.host, listener.port)
    stack.defer(() => closeServer(server, connections, clock))
    servers.push(server)
  }
  const urls = servers.map((server, i) => urlOf(server, config, i))

  if (config.advertiseUrl === undefined && config.redisUrl !== undefined)
    log.warn(
      'advertiseUrl is not set: other nodes on the same Redis must be able to reach this one at the address it names',
    )
  const nodes = stack.use(new Nodes(nodeId, config.advertiseUrl ?? urls[0] ?? '', redis, clock, log))
  let isDraining = false
  const accountsOf = (head: SessionHead) => accountsOfSession(current(), head)
  const reporter = new NodeReporter({
    ...{ clock, nodes, directory, metrics, limits },
    accountsOf,
    isDraining: () => isDraining,
  })
  const inquiries = new Inquiries(nodes, clock, (question) => reporter.answer(question))
  await nodes.start((order) => {
    if (order.type === 'ask') return void inquiries.asked(order)
    if (order.type === 'answer') return inquiries.answered(order)
    const { sessionId } = order
    const session = directory.find(sessionId)
    if (session !== null) session.dispatch({ type: 'end_requested', reason: 'ended_by_operator' })
    else void keeper.owe(sessionId, () => endUnowned(records, sessionId, nodeId, clock))
  })
  const allJobs = new AllJobs(redis)
  const board = stack.use(
    new Board({
      ...{ clock, nodes, inquiries },
      jobs: () => allJobs.now(),
      money: () => moneyNow({ config: current, clock, limits, spentToday, objective: () => objective.state }),
    }),
  )
  const isAlive = async (id: string) => (await nodes.find(id)) !== null
  await books.recover(config.dataDir, isAlive)
  const node = { limits, keeper: books, loopbackSocket }
  const surroundings = { config: current, clock, log, store, metrics, announcer, node, nodeId, isAlive }
  const dropIns = tools === null ? null : stack.use(await openDropIns({ ...surroundings, tools }))
  const underway = new Underway()
  const registry = new ClusterRegistry(directory, records, nodes, clock)
  const all = { config: current, clock, log, metrics, secrets, records, keeper, nodes, directory, admission }
  const door = new Door(all)
  const app = createApp({
    log,
    metrics,
    unready: async () => (isDraining ? 'draining' : (books.unwell() ?? (await store.unwell()) ?? media.unwell())),
  })
  installRoutes(app, {
    config: current,
    policy,
    audit,
    clock,
    demoKey,
    secrets,
    registry,
    board,
    allJobs,
    lookAt: (id) => lookAt({ clock, registry, records, inquiries, limits, accountsOf }, id),
    limits,
    ledger: () => ledger?.ledger ?? null,
    accountsOf: (principal) => accountsOfViewer(current(), principal),
    prices: () => current().prices.sheet,
    pricedModel: (model, at) => till.pricedModel(model, at),
    ownFile: (tenant, id) => media.files.read(tenant, id),
    book: (record) => till.book(record),
    log,
    ...media,
    mediaUse: (tenant) => media.use(tenant),
    dropIns,
    sessionOwner: async (id) => (await records.outline(id))?.head ?? null,
  })
  const onRequest = traceRequests(getRequestListener(app.fetch))
  threshold.open({
    request: (request, response) => {
      watchSender(request, clock)
      underway.watch(request, response)
      return onRequest(request, response)
    },
    upgrade: (request, socket, head) => door.handle(request, socket, head),
  })

  audit.record(loadedEntry(config))

  return {
    urls,
    certFile,
    reload: (next) => {
      const restart = needsRestart(config, next)
      policy.reload(next)
      audit.record(loadedEntry(next))
      return restart
    },
    drain: async () => {
      isDraining = true
      door.close()
      const { deadline } = policy.config.drain
      // What was cut short at the end still owes its usage, and has a moment to report it.
      const room = Math.min(LAST_USAGE_MS, deadline / 4)
      directory.drain(later(clock.now(), ms(deadline - room)))
      const alarm = clock.at(later(clock.now(), deadline), () => directory.stopAll())
      const late = Promise.withResolvers<void>()
      using _late = clock.at(later(clock.now(), deadline), () => late.resolve())
      await Promise.race([underway.idle(), late.promise])
      await door.settled()
      await directory.emptied()
      alarm[Symbol.dispose]()
      await stack.disposeAsync()
    },
    stopNow: () => directory.stopAll(),
  }
}

/** Ends the record of a session that this node is said to hold and does not. */
async function endUnowned(records: SessionRecords, id: string, nodeId: string, clock: Clock): Promise<void> {
  const record = await records.outline(id)
  if (record?.owner === nodeId) await records.endOrphan(record, clock.now())
}

/** A socket path must stay short, whatever the data folder. */
function loopbackPath(config: Config, nodeId: string): string {
  const path = join(config.dataDir, `loopback-${nodeId.slice(0, 8)}.sock`)
  return Buffer.byteLength(path) < 100 ? path : `/tmp/parley-${nodeId}.sock`
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', (error: NodeJS.ErrnoException) => {
    reject(
      error.code === 'EADDRINUSE'
        ? new Error(`port ${port} is in use: choose another (PORT and TLS_PORT, or listeners in the policy file)`)
        : error,
    )
  })
  server.listen(port, host, () => resolve())
  await promise
}

/** Every connection of a server that is open; the server itself forgets those that speak WebSocket. */
function connectionsOf(server: Server): ReadonlySet<Socket> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return open
}

/** Connections that stay open, those joined to another node and those whose refusal is held among them, are cut. */
async function closeServer(server: Server, open: ReadonlySet<Socket>, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeAllConnections()
  const alarm = clock.at(later(clock.now(), ms(LAST_WORD_MS)), () => {
    for (const socket of open) socket.destroy()
  })
  await promise
  alarm[Symbol.dispose]()
}

function urlOf(server: Server, config: Config, i: number): string {
  const listener = config.listeners[i]
  const { port } = server.address() as AddressInfo
  const host = listener?.host === '0.0.0.0' || listener?.host === '::' ? 'localhost' : (listener?.host ?? 'localhost')
  return `${listener?.tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function loadedEntry({ models, plans, tenants }: Config): AuditEntry {
  const detail = { models: models.size, plans: plans.size, tenants: tenants.size }
  return { kind: 'config.loaded', actor: 'node', tenant: null, subject: null, detail }
}

/** Settings that are read once, at start. */
function needsRestart(before: Config, after: Config): string[] {
  const fixed = ['listeners', 'dataDir', 'redisUrl', 'embeddedRedis', 'advertiseUrl', 'ledger', 'traces'] as const
  return fixed.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
}
