import type { Principal } from '../auth/principal.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { invalid } from '../invalid-request.ts'
import { newId } from '../media/ids.ts'
import { type Job, LONGEST_JOB_MS } from '../media/job.ts'
import type { JobRequest, JobType } from '../media/job-request.ts'
import type { Probed } from '../media/media-tools.ts'
import { outboundUrl } from '../net/outbound-url.ts'
import { type Instant, instant, later, latest, type Ms, ms, nanoUsd } from '../units.ts'

/** What a job needs beside its request. */
export interface OrderContext {
  readonly config: Config
  readonly principal: Pick<Principal, 'tenant' | 'keyId'>
  readonly now: Instant
  /** From `Cancel-After`: not ended so long after its making, it is canceled. */
  readonly cancelAfter: Ms | null
  readonly batch: Job['batch']
  /** `traceparent` of the request; left out where there is none. */
  readonly trace?: string | null
  /** In place of a new one. */
  readonly id?: string
}

/**
 * A job as it is asked for, with everything that can be known wrong about it: models that are not there or not for this,
 * URLs that nobody will fetch. Throws InvalidRequest, or FaultError `model_not_found`.
 */
export function orderJob(request: JobRequest, context: OrderContext): Job {
  const { config, principal, now, cancelAfter, batch } = context
  const { input, webhook, retention } = request
  if (input.url !== undefined) checkUrl(config, input.url, '/input/url')
  if (webhook !== null) checkUrl(config, webhook.url, '/webhook/url')
  const runAt = request.run_at === null ? null : instant(Date.parse(request.run_at))
  const waitsFrom = runAt === null ? now : latest(now, runAt)
  if (waitsFrom - now > MOST_AHEAD) throw invalid('/run_at', 'too_late', 'At most 30 days from now.')
  return {
    id: context.id ?? newId('job', now),
    tenant: principal.tenant,
    keyId: principal.keyId,
    user: request.user ?? null,
    type: request.type,
    status: waitsFrom > now ? 'scheduled' : 'queued',
    attempt: 0,
    maxAttempts: config.media.queue.attempts,
    cancelRequested: false,
    progress: { stage: 'queued', done: 0, total: 0 },
    ...{ error: null, result: null, saved: null, usage: null },
    input,
    options: withModels(config, principal.tenant, request),
    metadata: request.metadata,
    webhook,
    retention: { input: ms(retention.input_ms), output: ms(retention.output_ms) },
    maxCost: request.max_cost_usd_nanos === null ? null : nanoUsd(request.max_cost_usd_nanos),
    priority: request.priority,
    batch,
    trace: context.trace ?? null,
    seq: 0,
    ...{ createdAt: now, updatedAt: now, queuedAt: null, startedAt: null, endedAt: null, runAt },
    expiresAt: later(waitsFrom, ms(request.expires_after_ms)),
    deadline: cancelAfter === null ? null : later(now, cancelAfter),
  }
}

const MOST_AHEAD = 30 * 86_400_000

/** Expected work, for the fair order: what such media took on one slow core, without the provider's own time. */
export function expectedWork(type: JobType, media: Probed | null): Ms {
  const length = media?.duration ?? null
  if (type.startsWith('image.')) return ms(500)
  if (length === null) return ms(5_000)
  return ms(500 + length * (type.startsWith('audio.') ? 0.01 : 0.03))
}

/** Until when a job may need its input: begun as late as it may, run as long as it may, and tried again by its owner. */
export function inputNeededUntil(job: Job): Instant {
  const kind = job.type.slice(0, job.type.indexOf('.')) as keyof typeof LONGEST_JOB_MS
  const kept = Math.max(job.retention.input, job.retention.output)
  return later(job.expiresAt, ms(LONGEST_JOB_MS[kind] + kept + SLACK))
}

/** Sweeps, and retries with their waits. */
const SLACK = 2 * 3_600_000

/** What each type of job asks of a provider; others only prepare, and a model gives them its limits at most. */
const KIND = { 'audio.transcribe': 'transcription', 'image.describe': 'vision' } as const

/** The options with a model where one is needed: the one named, or the one that the configuration names for all. */
function withModels(config: Config, tenant: string, request: JobRequest): Job['options'] {
  const { options, type } = request
  const kind = KIND[type as keyof typeof KIND]
  if (kind === undefined) {
    // Limits and token rules are known of many models that this installation does not buy from.
    return options
  }
  const allowed = config.plans.get(config.tenants.get(tenant)?.plan ?? '')?.models ?? null
  const check = (model: string, pointer: string) => {
    const found = config.models.get(model)
    if (found === undefined || found.kind !== kind || (allowed !== null && !allowed.includes(model))) {
      throw invalid(pointer, 'model_not_found', `There is no such model for ${kind} here.`)
    }
    return model
  }
  const named = 'model' in options ? options.model : undefined
  const model = check(named ?? defaultModel(config, kind), '/options/model')
  const next = 'escalate_to' in options ? options.escalate_to : undefined
  if (typeof next === 'string') check(next, '/options/escalate_to')
  return { ...options, model }
}

function defaultModel({ media, models }: Config, kind: 'transcription' | 'vision'): string {
  const first = [...models].find(([, model]) => model.kind === kind)?.[0]
  const found = media.models[kind] ?? first
  if (found !== undefined) return found
  throw invalid('/options/model', 'model_not_found', `No model for ${kind} is configured here.`)
}

function checkUrl(config: Config, url: string, pointer: string): void {
  try {
    outboundUrl(url, config.outbound)
  } catch (error) {
    if (error instanceof FaultError) throw invalid(pointer, error.code, error.message)
    throw error
  }
}
