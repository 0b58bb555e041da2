import { parseArgs } from 'node:util'
import { startWorkers } from '../workers/main.ts'
import { IsolatedMediaTools } from '../workers/tools/isolated-media-tools.ts'
import { systemClock } from './clock.ts'
import type { Config } from './config/config.ts'
import { loadConfig } from './config/load-config.ts'
import { openWorkerStatus } from './http/worker-status.ts'
import { LedgerDesk } from './ledger/ledger-desk.ts'
import { createLogger, type Log } from './log.ts'
import { Metrics } from './metrics.ts'
import { type Running, type Surroundings, serve } from './serve.ts'
import { Store } from './store/store.ts'
import { startTraces } from './traces/start-traces.ts'
import { IsolatedVoiceDetection } from './voice/voice-detection.ts'
import { welcome } from './welcome.ts'

/** Signals that follow each other so closely are one, ms: nobody asks twice within that. */
const ECHO_MS = 100

/** Wiring only: configuration, then everything it names, until a signal says stop. */
async function main(): Promise<void> {
  const only = partToRun()
  const loaded = loadConfig()
  const log = createLogger(loaded.config.logLevel)
  const stack = new AsyncDisposableStack()
  // A signal may come as soon as the first listener is open; it waits until everything stands, and then ends it.
  const started = Promise.withResolvers<void>()
  let broker: Running | null = null
  let isStopping = false
  let heardAt = Number.NEGATIVE_INFINITY
  const stop = (signal: string) => {
    const now = systemClock.now()
    // Ctrl-C reaches npm and this process, and npm passes it on.
    if (now - heardAt < ECHO_MS) return
    heardAt = now
    log.info({ signal }, isStopping ? 'second signal: stopping now' : 'draining')
    if (isStopping) return broker === null ? process.exit(1) : broker.stopNow()
    isStopping = true
    return void started.promise
      .then(() => drain(broker, stack))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'drain failed')
          process.exit(1)
        },
      )
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
  stack.use(await startTraces(loaded.config.traces, systemClock, log))
  const store = stack.use(await Store.open(loaded.config, loaded.path, systemClock, log))
  const metrics = new Metrics()
  const ledger = stack.use(
    await LedgerDesk.open(loaded.config.ledger, {
      clock: systemClock,
      log,
      store,
      registry: metrics.registry,
      tenants: () => [...loaded.config.tenants.keys()],
    }),
  )
  const demoKey = loaded.demo?.key ?? null
  const settings = { ...loaded.config.media.tools, path: loaded.path }
  const tools = stack.use(await IsolatedMediaTools.start(settings, systemClock, log))
  const surroundings = { clock: systemClock, log, store, metrics, ledger, demoKey, tools }
  if (only !== 'workers') broker = await startBroker(loaded.config, surroundings, stack)
  let { config } = loaded
  if (only !== 'broker') {
    stack.use(await startWorkers({ ...surroundings, config: () => config, hopeless: () => giveUp(only, log) }))
  }
  const { listen } = loaded.config.workers
  const status =
    only === 'workers' && listen !== null
      ? stack.use(
          await openWorkerStatus(listen, { metrics, unready: async () => (isStopping ? 'draining' : store.unwell()) }),
        )
      : null
  started.resolve()
  const where = status === null ? '' : `\n  ${status.url}/metrics\n`
  process.stdout.write(broker === null ? `\nParley workers are running.\n${where}\n` : welcome(loaded, broker))

  process.on('SIGHUP', () => {
    try {
      config = loadConfig().config
      const restart = broker?.reload(config) ?? []
      log.info({ needsRestart: restart }, 'configuration reloaded')
    } catch (error) {
      log.error({ why: String(error) }, 'configuration not reloaded: the old one stays')
    }
  })
}

/** Whoever runs a process of workers alone starts it anew; one that also holds sessions goes on with those. */
function giveUp(only: string, log: Log): void {
  log.error({}, 'the media workers of this process do no work')
  if (only === 'workers') process.exit(1)
}

async function startBroker(
  config: Config,
  surroundings: Omit<Surroundings, 'voices'>,
  stack: AsyncDisposableStack,
): Promise<Running> {
  const voices = stack.use(new IsolatedVoiceDetection(surroundings.clock, surroundings.log))
  await voices.ready
  return serve(config, { ...surroundings, voices })
}

/** Sessions first, then the workers, then the store. */
async function drain(broker: Running | null, rest: AsyncDisposable): Promise<void> {
  await broker?.drain()
  await rest[Symbol.asyncDispose]()
}

function partToRun(): 'broker' | 'workers' | 'all' {
  const { only } = parseArgs({ options: { only: { type: 'string' } } }).values
  if (only === undefined) return 'all'
  if (only === 'broker' || only === 'workers') return only
  throw new Error(`--only takes "broker" or "workers", not "${only}"`)
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
