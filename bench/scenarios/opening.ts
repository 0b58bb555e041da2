import { cpuMicros } from '../process-usage.ts'
import { fixed, type Report, Rounds } from '../report.ts'
import type { Stage } from '../stage.ts'

const SESSIONS = 1_500
const WARM_UP = 1_000
const ROUNDS = 5

/** What it costs to open a session, from the dial to `session.created`, and to close it. */
export async function opening(stage: Stage): Promise<Report> {
  await using stack = new AsyncDisposableStack()
  const relays = await stage.startAll(stack)
  const sessions = stage.settings.isQuick ? 500 : SESSIONS
  const costs = new Rounds()
  const rates = new Rounds()
  for (const relay of relays) await stage.load.churn({ place: relay.place, sessions: WARM_UP })
  for (let round = 0; round < stage.rounds(ROUNDS); round++) {
    for (const relay of relays) {
      const before = cpuMicros(relay.pid)
      const ms = await stage.load.churn({ place: relay.place, sessions })
      costs.add(relay.name, (cpuMicros(relay.pid) - before) / sessions)
      rates.add(relay.name, sessions / (ms / 1_000))
    }
  }
  return {
    title: 'Opening and closing a session',
    notes: [`${sessions} sessions, 32 at a time`],
    columns: ['relay', 'CPU µs/session', 'x bare', 'sessions/s'],
    rows: relays.map(({ name }) => [
      name,
      fixed(costs.median(name), 0),
      fixed(costs.ratio(name), 2),
      fixed(rates.median(name), 0),
    ]),
    bars: [],
  }
}
