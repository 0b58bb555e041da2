import { setTimeout as pause } from 'node:timers/promises'
import { fixed, type Report, Rounds } from '../report.ts'
import type { Stage } from '../stage.ts'
import type { Place } from '../wire.ts'

const SESSIONS = 200
const RATE = 25
const ROUNDS = 5
/** Of Parley's 99th percentile over the bare relay's, ms. */
const MOST_ADDED_MS = 1

/** Round trip of a time stamp through the relay, the echoing provider, and the relay again. */
export async function latency(stage: Stage): Promise<Report> {
  await using stack = new AsyncDisposableStack()
  const relays = await stage.startAll(stack)
  const direct: Place = { port: stage.upstreamPort, path: '/', headers: {} }
  const routes = [{ name: 'no relay', place: direct }, ...relays.map(({ name, place }) => ({ name, place }))]
  const p50 = new Rounds()
  const p99 = new Rounds()
  for (let round = 0; round < stage.rounds(ROUNDS); round++) {
    for (const { name, place } of routes) {
      const trips = await measure(stage, place)
      p50.add(name, trips.p50 / 1_000)
      p99.add(name, trips.p99 / 1_000)
    }
  }
  return {
    title: 'Latency: round trip of 2.6 kB frames',
    notes: [
      `${SESSIONS} sessions, ${RATE} frames/s in each, echoed by the provider; medians of ${stage.rounds(ROUNDS)} rounds`,
    ],
    columns: ['relay', 'p50 ms', 'p99 ms', 'p50 - bare', 'p99 - bare'],
    rows: routes.map(({ name }) => [
      name,
      fixed(p50.median(name), 2),
      fixed(p99.median(name), 2),
      fixed(p50.difference(name), 2),
      fixed(p99.difference(name), 2),
    ]),
    bars: [{ name: 'latency p99, parley - bare', figure: p99.difference('parley'), most: MOST_ADDED_MS, unit: 'ms' }],
  }
}

async function measure(stage: Stage, place: Place): Promise<{ p50: number; p99: number }> {
  const { load, upstream, settings } = stage
  await load.open({ place, sessions: SESSIONS })
  await upstream.echo()
  await load.listen()
  await load.talk({ frame: 'audio', rate: RATE, isStamped: true })
  await pause(settings.isQuick ? 1_000 : 2_000)
  await load.roundTrips()
  await pause(settings.isQuick ? 2_000 : 5_000)
  const trips = await load.roundTrips()
  await stage.clear()
  return trips
}
