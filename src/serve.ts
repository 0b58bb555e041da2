import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { ClientSecrets } from './auth/client-secrets.ts'
import { Admission } from './broker/admission.ts'
import { Directory } from './broker/directory.ts'
import { Door } from './broker/door.ts'
import { ClusterRegistry } from './broker/registry.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config/config.ts'
import { certificateFor } from './config/tls.ts'
import { createApp } from './http/app.ts'
import type { Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { Nodes } from './store/nodes.ts'
import { SessionRecords } from './store/session-records.ts'
import type { Store } from './store/store.ts'
import { later } from './units.ts'
import { Loopback } from './upstream/loopback/server.ts'
import { Upstreams } from './upstream/upstreams.ts'
import type { VoiceDetection } from './voice/detector.ts'

export interface Surroundings {
  clock: Clock
  log: Log
  /** These two stay open for as long as the node runs, and are closed by whoever opened them. */
  store: Store
  voices: VoiceDetection
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
  requestTimeout: 60_000,
  keepAliveTimeout: 65_000,
  maxHeaderSize: 8_192,
  connectionsCheckingInterval: 5_000,
}
const MOST_CONNECTIONS = 10_000

/** Starts a node: provider, doors. Throws with a plain sentence when something it needs is missing. */
export async function serve(first: Config, { clock, log, store, voices }: Surroundings): Promise<Running> {
  let config = first
  const stack = new AsyncDisposableStack()
  const metrics = new Metrics()
  const nodeId = randomUUID()
  const { redis } = store

  const loopbackSocket = loopbackPath(config, nodeId)
  if ([...config.providers.values()].some((provider) => provider.type === 'loopback')) {
    stack.use(await Loopback.start({ listen: { socket: loopbackSocket }, clock, voices }))
  }

  const records = new SessionRecords(redis, nodeId)
  const secrets = new ClientSecrets(redis)
  const directory = new Directory(clock, log, records, metrics, () => config.door)
  stack.defer(() => directory.stop())
  const upstreams = new Upstreams(clock, log, loopbackSocket)
  const admission = new Admission({ config: () => config, clock, log, records, directory, upstreams, voices })

  const servers: Server[] = []
  let certFile: string | null = null
  for (const listener of config.listeners) {
    const certificate = await certificateFor(listener, config.dataDir, new Date(clock.now()))
    certFile ??= certificate?.certFile ?? null
    const server = certificate === null ? createServer(HTTP) : createTlsServer({ ...HTTP, ...certificate })
    server.maxConnections = MOST_CONNECTIONS
    await listen(server, listener.host, listener.port)
    stack.defer(() => closeServer(server))
    servers.push(server)
  }
  const urls = servers.map((server, i) => urlOf(server, config, i))

  const nodes = stack.use(new Nodes(nodeId, config.advertiseUrl ?? urls[0] ?? '', redis, log))
  await nodes.start((order) => {
    directory.find(order.sessionId)?.dispatch({ type: 'end_requested', reason: 'ended_by_operator' })
  })
  const registry = new ClusterRegistry(directory, records, nodes, clock)
  const door = new Door({ config: () => config, clock, log, metrics, secrets, records, nodes, directory, admission })
  let isDraining = false
  const app = createApp({
    config: () => config,
    clock,
    log,
    metrics,
    secrets,
    registry,
    unready: async () => (isDraining ? 'draining' : store.unwell()),
  })
  const onRequest = getRequestListener(app.fetch)
  for (const server of servers) {
    server.on('request', onRequest)
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => door.handle(request, socket, head))
  }

  return {
    urls,
    certFile,
    reload: (next) => {
      const restart = needsRestart(config, next)
      config = next
      return restart
    },
    drain: async () => {
      isDraining = true
      door.close()
      const by = later(clock.now(), config.drain.deadline)
      for (const session of directory.all()) {
        session.dispatch({ type: 'node_draining', by, resumable: session.isResumable })
      }
      await directory.emptied()
      await stack.disposeAsync()
    },
    stopNow: () => {
      for (const session of directory.all()) session.dispatch({ type: 'end_requested', reason: 'going_away' })
    },
  }
}

/** A socket path must stay short, whatever the data folder. */
function loopbackPath(config: Config, nodeId: string): string {
  const path = join(config.dataDir, `loopback-${nodeId.slice(0, 8)}.sock`)
  return Buffer.byteLength(path) < 100 ? path : `/tmp/parley-${nodeId}.sock`
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', (error: NodeJS.ErrnoException) => {
    reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} is in use: set PORT to another`) : error)
  })
  server.listen(port, host, () => resolve())
  await promise
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeAllConnections()
  await promise
}

function urlOf(server: Server, config: Config, i: number): string {
  const listener = config.listeners[i]
  const { port } = server.address() as AddressInfo
  const host = listener?.host === '0.0.0.0' || listener?.host === '::' ? 'localhost' : (listener?.host ?? 'localhost')
  return `${listener?.tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Settings that are read once, at start. */
function needsRestart(before: Config, after: Config): string[] {
  const fixed = ['listeners', 'dataDir', 'redisUrl', 'embeddedRedis', 'ledgerUrl', 'advertiseUrl'] as const
  return fixed.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
}
