import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { systemClock } from '../../src/clock.ts'
import { FileDesk } from '../../src/files/file-desk.ts'
import { createLogger } from '../../src/log.ts'
import { FileStore } from '../../src/store/files.ts'
import { keys } from '../../src/store/keys.ts'
import { later, ms } from '../../src/units.ts'
import { MEDIA_PREFIX, QUEUES } from '../../workers/jobs/media-queues.ts'
import { type Finding, finding, until } from '../evidence.ts'
import { askAs, jobsOf, type MediaEvidence } from './media-evidence.ts'

/** A sweep, a lease and a grace (src/store/scripts/jobs/prelude.lua). */
const SWEPT_WITHIN_MS = 60_000
/** A file whose job could not be made after all is that job's for a minute (src/jobs/job-desk.ts). */
const CLAIMED_WITHIN_MS = 65_000

/** What is left once every job has ended, and what once everything has been deleted. */
export async function checkRemains(evidence: MediaEvidence): Promise<Finding[]> {
  const atRest = await checkRest(evidence)
  const work = await checkWork(evidence)
  const deleted = await deleteAll(evidence)
  return [atRest, work, deleted, await checkNothing(evidence)]
}

async function checkRest({ redis, premises }: MediaEvidence): Promise<Finding> {
  const { took, left } = await until(async () => {
    const found: string[] = []
    for (const tenant of premises.tenants.keys()) {
      for (const what of [
        'ready',
        'ready:low',
        'ready:again',
        'sent',
        'slots',
        'handed',
        'alarms',
        'news',
        'in:queued',
        'in:processing',
      ]) {
        const count = await redis.zcard(`${keys.tenant(tenant)}:jobs:${what}`)
        if (count > 0) found.push(`${tenant}: ${count} in ${what}`)
      }
    }
    for (const name of Object.values(QUEUES)) {
      const queue = new Queue(name, { connection: redis, prefix: MEDIA_PREFIX })
      const { failed: _kept, completed: _gone, ...counts } = await queue.getJobCounts()
      for (const [state, count] of Object.entries(counts)) if (count > 0) found.push(`${name}: ${count} ${state}`)
    }
    const leases = await redis.zcard(`${keys.limits}:leases`)
    if (leases > 0) found.push(`${leases} leases of money`)
    return found
  }, SWEPT_WITHIN_MS)
  return finding('queues, slots and leases are empty', `after ${(took / 1_000).toFixed(1)} s`, left)
}

/** Pieces and answers of jobs that have ended. A failed one that may be asked for again keeps them. */
async function checkWork(evidence: MediaEvidence): Promise<Finding> {
  const { left } = await until(async () => {
    const found: string[] = []
    for await (const name of evidence.storage.list()) {
      const [tenant = '', owner = ''] = name.split('/')
      if (!owner.startsWith('job_')) continue
      const isKept = await evidence.redis.zscore(`${keys.tenant(tenant)}:jobs:waste`, `work:${owner}`)
      if (isKept === null) found.push(`${name} is left`)
    }
    return found
  }, SWEPT_WITHIN_MS)
  return finding('nothing is left of the work of jobs that have ended', 'no piece', left)
}

async function deleteAll(evidence: MediaEvidence): Promise<Finding> {
  const left: string[] = []
  for (const tenant of evidence.premises.tenants.keys()) {
    for (const { id } of await jobsOf(evidence, tenant)) await askAs(evidence, tenant, 'DELETE', `/v1/jobs/${id}`)
    const files = await until(async () => {
      const answer = await askAs(evidence, tenant, 'GET', '/v1/files?limit=200')
      const { data } = (await answer.json()) as { data: { id: string }[] }
      for (const { id } of data) await askAs(evidence, tenant, 'DELETE', `/v1/files/${id}`)
      return data.map(({ id }) => `${tenant}: ${id} is still needed`)
    }, CLAIMED_WITHIN_MS)
    left.push(...files.left)
  }
  return finding('every job and every file can be deleted', 'nothing is left', left)
}

async function checkNothing({ storage, redis, premises }: MediaEvidence): Promise<Finding> {
  // An upload that was cut off with its door is given up by the sweep, as it will find it in two hours.
  const then = later(systemClock.now(), ms(2 * 3_600_000))
  const clock = { ...systemClock, now: () => then }
  const files = new FileStore(redis, () => then)
  const config = () => {
    throw new Error('a sweep asks for no quota')
  }
  const desk = new FileDesk({ clock, log: createLogger('silent'), storage, files, tools: null, config })
  const given = await desk.sweep(AbortSignal.timeout(SWEPT_WITHIN_MS))
  const { left } = await until(async () => {
    const found: string[] = []
    for await (const name of storage.list()) found.push(`file ${name}`)
    for (const tenant of premises.tenants.keys()) found.push(...(await keysLeft(redis, tenant)))
    return found
  }, SWEPT_WITHIN_MS)
  return finding('once all is deleted there is no file and no key', `${given} uploads had been cut off`, left)
}

/** Keys of a tenant that neither end by themselves nor are few and bounded. */
async function keysLeft(redis: Redis, tenant: string): Promise<string[]> {
  const root = keys.tenant(tenant)
  // A tenant's pace, its secret for webhooks, and what its files take in all.
  const bounded = [`${root}:jobs:pace`, `${root}:hooks`, `${root}:files:held`]
  const found: string[] = []
  for await (const names of redis.scanStream({ match: `${root}*`, count: 1_000 }) as AsyncIterable<string[]>) {
    for (const name of names) {
      if (!bounded.includes(name) && (await redis.pttl(name)) === -1) found.push(`key ${name}`)
    }
  }
  return found
}
