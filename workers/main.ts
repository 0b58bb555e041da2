import { join } from 'node:path'
import { Queue, Worker } from 'bullmq'
import { LivePolicy } from '../src/admin/live-policy.ts'
import { openMediaCalls } from '../src/calls/open-media-calls.ts'
import type { Clock } from '../src/clock.ts'
import type { Config } from '../src/config/config.ts'
import { FileDesk } from '../src/files/file-desk.ts'
import type { Log } from '../src/log.ts'
import type { MediaTools } from '../src/media/media-tools.ts'
import { MediaMetrics, type Metrics } from '../src/metrics.ts'
import { Fetcher } from '../src/net/fetcher.ts'
import { openStorage } from '../src/storage/open-storage.ts'
import { FileStore } from '../src/store/files.ts'
import { Census } from '../src/store/nodes.ts'
import { PolicyStore } from '../src/store/policy-store.ts'
import { connectForQueue } from '../src/store/redis.ts'
import { SessionRecords } from '../src/store/session-records.ts'
import type { Store } from '../src/store/store.ts'
import { TenantHooks } from '../src/store/tenant-hooks.ts'
import { WebhookEndpoints } from '../src/store/webhook-endpoints.ts'
import { Announcer } from '../src/webhooks/announcer.ts'
import { publishJobNews } from '../src/webhooks/job-hooks.ts'
import { publishSessionEnd } from '../src/webhooks/session-hooks.ts'
import { type TenantEvent, tellTenant } from '../src/webhooks/tenant-news.ts'
import type { WebhookEvent } from '../src/webhooks/webhook.ts'
import { WebhookQueue } from '../src/webhooks/webhook-queue.ts'
import { startBatches } from './batches/start-batches.ts'
import { closeWorker } from './close-worker.ts'
import { startMediaWorkers } from './jobs/media-workers.ts'
import { Scratch } from './jobs/scratch.ts'
import { PROCESSORS } from './jobs/types/processors.ts'
import { sweepSessions } from './sweep-sessions.ts'
import { startWebhookWorker } from './webhook-worker.ts'

/** House work that any one worker process does for all nodes. */
const CHORES = 'parley-chores'
const SWEEP_EVERY_MS = 10_000
/** A job whose worker died is given to another after this, ms. */
const STALLED_AFTER_MS = 10_000

export interface WorkerDeps {
  clock: Clock
  log: Log
  store: Store
  metrics: Metrics
  tools: MediaTools
  /** The policy file as it stands now: replaced on reload. */
  config(): Config
  /** Media workers take nothing, whatever is tried: the process should be started anew. */
  hopeless(): void
}

/** Starts this process's workers: queues to processors. Dispose to drain them. */
export async function startWorkers({
  clock,
  log,
  store,
  metrics,
  tools,
  config: file,
  hopeless,
}: WorkerDeps): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const policy = stack.use(new LivePolicy(file(), new PolicyStore(store.redis, log), clock, log, () => undefined))
  await policy.start()
  const config = () => {
    if (policy.file !== file()) policy.reload(file())
    return policy.config
  }
  const connection = connectForQueue(store.place, log)
  stack.defer(() => connection.disconnect())

  const chores = new Queue(CHORES, { connection })
  stack.defer(() => chores.close())
  const template = { name: 'sweep-sessions', opts: { removeOnComplete: 10, removeOnFail: 10 } }
  await chores.upsertJobScheduler('sweep-sessions', { every: SWEEP_EVERY_MS }, template)

  const queue = stack.use(new WebhookQueue(store.redis, () => config().webhooks))
  const hooks = new TenantHooks(store.redis, () => clock.now())
  const news = { config, hooks, queue }
  const records = new SessionRecords(store.redis, 'workers', (ended) => publishSessionEnd(news, ended))
  const census = new Census(store.redis)
  const worker = new Worker(CHORES, () => sweepSessions({ clock, log, records, census }), {
    connection,
    lockDuration: STALLED_AFTER_MS,
    stalledInterval: STALLED_AFTER_MS,
  })
  worker.on('failed', (job, error) => log.warn({ job: job?.name, why: error.message }, 'job failed'))
  worker.on('error', (error) => log.debug({ why: error.message }, 'worker waits'))
  stack.defer(() => closeWorker(worker, store.redis))
  const fetcher = new Fetcher(() => config().outbound, clock)
  stack.use(
    startWebhookWorker(connection, {
      ...{ clock, log, redis: store.redis, fetcher, hooks, health: new WebhookEndpoints(store.redis) },
      endpoints: () => config().webhooks,
      publish: (event, except) => queue.publish(event, except),
    }),
  )

  const tell = {
    operators: (event: WebhookEvent) => queue.publish(event),
    tenant: (tenant: string, event: TenantEvent) => tellTenant(news, tenant, event),
  }
  const announcer = new Announcer(store.redis, tell, clock, log)
  // Closed after the workers, so that what they bought is settled.
  const { calls } = stack.use(await openMediaCalls({ config, clock, log, store, metrics, announcer }))
  const storage = stack.use(await openStorage(config(), clock.now()))
  stack.use(startBatches({ clock, log, store, config, storage, tools }))
  const files = new FileStore(store.redis)
  const desk = new FileDesk({ clock, log, storage, files, tools, config })
  stack.use(
    await startMediaWorkers({
      ...{ clock, log, store, config, hopeless, processors: PROCESSORS },
      metrics: new MediaMetrics(metrics.registry),
      workshop: { clock, config, media: tools, calls, storage, files, desk, fetcher },
      scratch: stack.use(await Scratch.open(join(config().dataDir, 'scratch'))),
      publish: (tenant, each) => publishJobNews(news, tenant, each),
    }),
  )
  return stack.move()
}
