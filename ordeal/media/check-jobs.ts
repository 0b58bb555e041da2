import { type Finding, finding, until } from '../evidence.ts'
import type { Told } from './hook-receiver.ts'
import { askAs, type JobSeen, jobsOf, type MediaEvidence } from './media-evidence.ts'

const ENDS = ['succeeded', 'failed', 'canceled', 'expired']
/** A message that found its receiver or Redis away comes again after 5 s, or with the next sweep. */
const TOLD_WITHIN_MS = 60_000

/** Every acknowledged job ends exactly once, is there exactly once, has one result, and its end is told once. */
export async function checkJobs(evidence: MediaEvidence): Promise<Finding[]> {
  const seen = new Map<string, JobSeen>()
  for (const tenant of evidence.premises.tenants.keys()) {
    for (const job of await jobsOf(evidence, tenant)) seen.set(job.id, job)
  }
  return [
    checkAcknowledged(evidence, seen),
    checkEnds(evidence, seen),
    await checkResults(evidence, seen),
    await checkTold(evidence),
  ]
}

function checkAcknowledged({ orders, doubles, oddities }: MediaEvidence, seen: ReadonlyMap<string, JobSeen>): Finding {
  const lost = [...orders.values()].filter(({ id, deleted }) => !deleted && !seen.has(id))
  const unknown = [...seen.keys()].filter((id) => !orders.has(id))
  const undead = [...orders.values()].filter(({ id, deleted }) => deleted && seen.has(id))
  return finding('what was acknowledged is there, once, and nothing else is', `${orders.size} jobs`, [
    ...doubles.map((each) => `one request made ${each}`),
    ...oddities,
    ...lost.map(({ id }) => `${id} is lost`),
    ...unknown.map((id) => `${id} was never acknowledged`),
    ...undead.map(({ id }) => `${id} was deleted and is there`),
  ])
}

function checkEnds({ orders }: MediaEvidence, seen: ReadonlyMap<string, JobSeen>): Finding {
  const broken: string[] = []
  const counts = new Map<string, number>()
  for (const job of seen.values()) {
    counts.set(job.status, (counts.get(job.status) ?? 0) + 1)
    const order = orders.get(job.id)
    if (job.ended_at === null || !ENDS.includes(job.status)) broken.push(`${job.id} is ${job.status}`)
    if (order?.end != null && order.end !== job.status) broken.push(`${job.id} was ${order.end} and is ${job.status}`)
    if (job.status === 'canceled' && order?.askedToCancel === false)
      broken.push(`${job.id} was canceled by nobody: ${job.error?.code}`)
    if (job.error?.code === 'internal') broken.push(`${job.id} failed for a reason of ours`)
  }
  const found = [...counts].map(([status, count]) => `${count} ${status}`).join(', ')
  return finding('every job ends, and no end changes', found, broken)
}

async function checkResults(evidence: MediaEvidence, seen: ReadonlyMap<string, JobSeen>): Promise<Finding> {
  const broken: string[] = []
  let results = 0
  for (const job of seen.values()) {
    if (job.status !== 'succeeded') {
      if (job.result !== null) broken.push(`${job.id} is ${job.status} and has a result`)
      continue
    }
    const { tenant = '' } = evidence.orders.get(job.id) ?? {}
    const answer = await askAs(evidence, tenant, 'GET', `/v1/jobs/${job.id}/result`)
    if (!answer.ok) broken.push(`${job.id}: its result is HTTP ${answer.status}`)
    await answer.arrayBuffer()
    results++
  }
  return finding('whatever succeeded has its result', `${results} results`, broken)
}

async function checkTold({ orders, hooks }: MediaEvidence): Promise<Finding> {
  const endsOf = (id: string) => (hooks.told.get(id) ?? []).filter(({ type }) => ENDS.includes(type.slice(4)))
  await until(async () => [...orders.keys()].filter((id) => endsOf(id).length === 0), TOLD_WITHIN_MS)
  const broken: string[] = []
  let messages = 0
  let repeated = 0
  for (const { id, end } of orders.values()) {
    const told = hooks.told.get(id) ?? []
    const ids = new Set(endsOf(id).map((message) => message.id))
    if (ids.size !== 1) broken.push(`the end of ${id} was told under ${ids.size} ids`)
    const [last] = endsOf(id)
    if (last !== undefined && end !== null && last.type !== `job.${end}`)
      broken.push(`${id} is ${end}, told as ${last.type}`)
    broken.push(...strange(told))
    messages += new Set(told.map((message) => message.id)).size
    repeated += told.length - new Set(told.map((message) => message.id)).size
  }
  return finding('each change is told under one id', `${messages} messages, ${repeated} of them came again`, broken)
}

/** One id is one change, and one change one id. */
function strange(told: readonly Told[]): string[] {
  const bySeq = Map.groupBy(told, ({ seq }) => seq)
  return [...bySeq].flatMap(([seq, all]) => {
    const kinds = new Set(all.map(({ id, type }) => `${id} ${type}`))
    return kinds.size === 1 ? [] : [`change ${seq}: ${[...kinds].join(', ')}`]
  })
}
