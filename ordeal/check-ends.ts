import { keys } from '../src/store/keys.ts'
import { ask, type Evidence, type Finding, finding, until } from './evidence.ts'

/** L4: a lease that nobody renews ends after 15 s, at the next beat of any broker. */
const LEASE_MS = 15_000
const REAP_MS = 5_000
/** A caller's window, the sweep's grace for it, and two sweeps (workers/sweep-sessions.ts). */
const SWEPT_MS = 45_000

interface LimitsView {
  account: { kind: string; id: string }
  sessions: { now: number }
  tokens_per_minute: { held: number }
  money: { held: { nano: number } }[]
}

/** Slots, leases and holds after everybody has left. */
export async function checkLeases(evidence: Evidence): Promise<Finding> {
  const { premises, redis } = evidence
  const all = [premises.admin, ...[...premises.tenants.values()].map(({ key }) => key)]
  const { took, left } = await until(async () => {
    const found: string[] = []
    for (const { key } of all) {
      const { data } = await ask<{ data: LimitsView[] }>(evidence, key, '/v1/limits')
      for (const { account, sessions, tokens_per_minute, money } of data) {
        const held = money.reduce((sum, { held }) => Math.max(sum, held.nano), tokens_per_minute.held)
        if (sessions.now !== 0 || held !== 0)
          found.push(`${account.kind} ${account.id}: ${sessions.now} slots, ${held} held`)
      }
    }
    for (const what of ['lease', 'slots', 'held']) {
      for await (const names of redis.scanStream({ match: `${keys.limits}:${what}*`, count: 1_000 })) {
        found.push(...(names as string[]))
      }
    }
    return found
  }, LEASE_MS + REAP_MS)
  const found = `nothing held any more ${(took / 1_000).toFixed(1)} s after the last caller left`
  return finding('slots and leases back to zero within 15 s and a reap', found, left)
}

interface SessionView {
  id: string
  phase: string
  reason: string | null
}

/** S1: every session that anybody knows of is over, for one reason, and whoever was told was told that one. */
export async function checkEnds(evidence: Evidence): Promise<Finding[]> {
  const { premises, witness, provider, redis } = evidence
  const { took, left } = await until(async () => {
    const { data } = await ask<{ data: SessionView[] }>(evidence, premises.admin.key, '/v1/sessions?limit=10000')
    const lines = provider.live === 0 ? [] : [`${provider.live} lines open at the provider`]
    return [...data.map(({ id, phase }) => `${id} ${phase}`), ...lines]
  }, SWEPT_MS)
  const gone = `none, ${(took / 1_000).toFixed(1)} s after the leases`

  const reasons = new Map<string, string>()
  const broken: string[] = []
  let overtaken = 0
  for await (const names of redis.scanStream({ match: 'parley:session:*', count: 1_000 })) {
    for (const name of names as string[]) {
      const [phase, reason] = await redis.hmget(name, 'phase', 'reason')
      const id = /\{(.*)\}/.exec(name)?.[1] ?? name
      if (phase !== 'ended' || reason === null || reason === undefined) broken.push(`${id}: ${phase}, ${reason}`)
      else reasons.set(id, reason)
    }
  }
  const counts = new Map<string, number>()
  for (const reason of reasons.values()) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  for (const { id, reasonsTold } of witness.sessions.values()) {
    const reason = reasons.get(id)
    // Who is sent to another node is not at its end.
    const told = reasonsTold.filter((word) => word !== 'going_away')
    if (reason === undefined) broken.push(`${id}: no record of its end`)
    if (told.length > 1) broken.push(`${id}: told ${told.join(', ')}`)
    // A node that dies after it has told the end and before it could write it down leaves that to whoever finds it dead.
    if (told.length === 1 && told[0] !== reason && reason === 'node_lost') overtaken++
    else if (told.length === 1 && told[0] !== reason) broken.push(`${id}: told ${told[0]}, recorded ${reason}`)
  }
  const each = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, n]) => `${reason} ${n}`)
  return [
    finding('no session left, no line to the provider open', gone, left),
    finding(
      'every session ended, for one reason',
      `${each.join(', ')}; ${overtaken} overtaken by its node's death`,
      broken,
    ),
  ]
}
