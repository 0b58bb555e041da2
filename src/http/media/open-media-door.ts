import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { jobLimitsOf } from '../../config/job-limits.ts'
import { FileDesk } from '../../files/file-desk.ts'
import { ResumableUploads } from '../../files/resumable-upload.ts'
import { UploadLocks } from '../../files/upload-locks.ts'
import { JobDesk } from '../../jobs/job-desk.ts'
import type { Log } from '../../log.ts'
import type { MediaTools } from '../../media/media-tools.ts'
import { openStorage } from '../../storage/open-storage.ts'
import { BatchStore } from '../../store/batches.ts'
import { FileStore } from '../../store/files.ts'
import { IdempotentRequests } from '../../store/idempotent-requests.ts'
import { JobFeed } from '../../store/jobs/job-feed.ts'
import { RedisJobStore } from '../../store/jobs/redis-job-store.ts'
import { connectForFeed } from '../../store/redis.ts'
import { RequestRate } from '../../store/request-rate.ts'
import type { Store } from '../../store/store.ts'
import { StoreMemory } from '../../store/store-memory.ts'
import { StreamSlots } from '../../store/stream-slots.ts'
import { TenantHooks } from '../../store/tenant-hooks.ts'
import { WebhookEndpoints } from '../../store/webhook-endpoints.ts'
import { WebhookMessages } from '../../store/webhook-messages.ts'
import type { WebhookQueue } from '../../webhooks/webhook-queue.ts'
import type { MediaUse } from '../limits.ts'
import type { MediaRouteDeps } from './media-routes.ts'

export interface OpenMediaDoorDeps {
  config(): Config
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly webhooks: Pick<WebhookQueue, 'deliver' | 'deliverAgain'>
  /** Null where this process does no work on media: then files are taken without a look at them. */
  readonly tools: Pick<MediaTools, 'probe'> | null
}

type OfTheNode = 'config' | 'clock' | 'log' | 'secrets' | 'audit' | 'dropIns' | 'limits' | 'accountsOf'

/** What the routes of the batch door need that no other part of a node has. */
export type MediaDoor = Omit<MediaRouteDeps, OfTheNode> & {
  /** Why nothing should be brought here now; null while it can. */
  unwell(): Promise<string | null>
  /** What a tenant's files take of what they may. */
  use(tenant: string): Promise<MediaUse>
} & AsyncDisposable

export async function openMediaDoor(deps: OpenMediaDoorDeps): Promise<MediaDoor> {
  const { config, clock, log, store, webhooks, tools } = deps
  const { redis } = store
  await using stack = new AsyncDisposableStack()
  const storage = stack.use(await openStorage(config(), clock.now()))
  const files = new FileStore(redis)
  const fileDeps = { clock, log, storage, files, tools, config }
  const desk = new FileDesk(fileDeps)
  const queue = () => config().media.queue
  const jobs = new RedisJobStore(redis, { limits: (tenant) => jobLimitsOf(config(), tenant), queue })
  const feed = stack.use(new JobFeed(connectForFeed(store.place, log)))
  const rest = stack.move()
  return {
    ...{ storage, files, desk, jobs, feed },
    jobDesk: new JobDesk({ clock, jobs, feed, files, desk, storage, config }),
    batches: new BatchStore(redis, () => queue().keepRecords),
    uploads: new ResumableUploads(fileDeps, desk),
    locks: new UploadLocks(clock),
    slots: new StreamSlots(redis),
    once: new IdempotentRequests(redis, clock),
    rate: new RequestRate(redis),
    memory: new StoreMemory(redis, clock),
    hooks: new TenantHooks(redis, () => clock.now()),
    deliver: (event, recipients) => webhooks.deliver(event, recipients),
    use: async (tenant) => {
      const { storage, files: most } = jobLimitsOf(config(), tenant)
      const held = await files.held(tenant)
      return { storage: { limit: storage, now: held.bytes }, files: { limit: most, now: held.files } }
    },
    health: new WebhookEndpoints(redis),
    messages: new WebhookMessages(redis),
    deliverAgain: (tenant, message) => webhooks.deliverAgain(tenant, message, clock.now()),
    unwell: async () => (((await storage.room()) ?? 0) < 0 ? 'there is no room for media' : null),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}
