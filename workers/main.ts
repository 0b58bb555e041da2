import { Queue, Worker } from 'bullmq'
import type { Clock } from '../src/clock.ts'
import type { Config } from '../src/config/config.ts'
import type { Log } from '../src/log.ts'
import { Fetcher } from '../src/net/fetcher.ts'
import { openStorage } from '../src/storage/open-storage.ts'
import { Census } from '../src/store/nodes.ts'
import { connectForQueue } from '../src/store/redis.ts'
import { SessionRecords } from '../src/store/session-records.ts'
import type { Store } from '../src/store/store.ts'
import { TenantHooks } from '../src/store/tenant-hooks.ts'
import { WebhookEndpoints } from '../src/store/webhook-endpoints.ts'
import { WebhookQueue } from '../src/webhooks/webhook-queue.ts'
import { startBatches } from './batches/start-batches.ts'
import { closeWorker } from './close-worker.ts'
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
  /** As it stands now: replaced on reload. */
  config(): Config
}

/** Starts this process's workers: queues to processors. Dispose to drain them. */
export async function startWorkers({ clock, log, store, config }: WorkerDeps): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack()
  const connection = connectForQueue(store.place, log)
  stack.defer(() => connection.disconnect())

  const chores = new Queue(CHORES, { connection })
  stack.defer(() => chores.close())
  const template = { name: 'sweep-sessions', opts: { removeOnComplete: 10, removeOnFail: 10 } }
  await chores.upsertJobScheduler('sweep-sessions', { every: SWEEP_EVERY_MS }, template)

  const records = new SessionRecords(store.redis, 'workers')
  const census = new Census(store.redis)
  const worker = new Worker(CHORES, () => sweepSessions({ clock, log, records, census }), {
    connection,
    lockDuration: STALLED_AFTER_MS,
    stalledInterval: STALLED_AFTER_MS,
  })
  worker.on('failed', (job, error) => log.warn({ job: job?.name, why: error.message }, 'job failed'))
  worker.on('error', (error) => log.debug({ why: error.message }, 'worker waits'))
  stack.defer(() => closeWorker(worker, store.redis))
  const hooks = stack.use(new WebhookQueue(store.redis, () => config().webhooks))
  const tenantHooks = new TenantHooks(store.redis, () => clock.now())
  stack.use(
    startWebhookWorker(connection, {
      clock,
      log,
      redis: store.redis,
      fetcher: new Fetcher(() => config().outbound, clock),
      health: new WebhookEndpoints(store.redis),
      endpoints: () => config().webhooks,
      hooks: tenantHooks,
      publish: (event, except) => hooks.publish(event, except),
    }),
  )
  const storage = stack.use(await openStorage(config(), clock.now()))
  stack.use(startBatches({ clock, log, store, config, storage, tools: null }))
  return stack
}
