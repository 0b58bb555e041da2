import { setTimeout as pause } from 'node:timers/promises'
import { cpuMicros } from '../process-usage.ts'
import { bare } from '../relays/bare.ts'
import { parley, parleyLimited } from '../relays/parley.ts'
import type { Relay } from '../relays/relay.ts'
import { fixed, type Report, Rounds } from '../report.ts'
import type { Stage } from '../stage.ts'

const SESSIONS = 500
/** Frames of 40 ms a second, each way: as many as leave callers and provider on two cores time to measure in. */
const RATE = 8
/** Frames for each response, as where one is asked for every ten seconds of a call; of all sessions together, a second. */
const FRAMES_PER_RESPONSE = 500
const ASKS = (SESSIONS * RATE * 2) / FRAMES_PER_RESPONSE
/** How long a response lasts, ms. */
const LASTS = 3_000
const ROUNDS = 5
const QUIET = 'parley, no responses'
/** Of the processor time with limits, times that of the same Parley without. */
const MOST_RATIO = 1.15

/**
 * What metering, limits and booking cost those who keep to them. They cannot be turned off, so the same Parley is also
 * measured while nobody asks for a response: there is nothing to reserve or book then, and frames are only counted. Of the
 * two that book, one has limits: every response is reserved for, and all audio is paced. The time of Redis is not in it.
 */
export async function limits(stage: Stage): Promise<Report> {
  await using stack = new AsyncDisposableStack()
  const [yardstick, free, limited] = await Promise.all([bare, parley, parleyLimited].map((kind) => stage.start(kind)))
  if (yardstick === undefined || free === undefined || limited === undefined) throw new Error('unreachable')
  for (const relay of [yardstick, free, limited]) stack.use(relay)
  const cases: readonly { name: string; relay: Relay; asks: number }[] = [
    { name: 'bare', relay: yardstick, asks: ASKS },
    { name: QUIET, relay: free, asks: 0 },
    { name: free.name, relay: free, asks: ASKS },
    { name: limited.name, relay: limited, asks: ASKS },
  ]
  const cpu = new Rounds()
  const frames50 = new Rounds()
  const frames99 = new Rounds()
  const starts50 = new Rounds()
  const starts99 = new Rounds()
  for (let round = 0; round < stage.rounds(ROUNDS); round++) {
    for (const { name, relay, asks } of cases) {
      const { micros, trips, starts } = await measure(stage, relay, asks)
      cpu.add(name, micros)
      frames50.add(name, trips.p50 / 1_000)
      frames99.add(name, trips.p99 / 1_000)
      starts50.add(name, starts.p50 / 1_000)
      starts99.add(name, starts.p99 / 1_000)
    }
  }
  const bar = (yardstick: string) => ({
    name: `CPU per frame, parley +limits / ${yardstick}`,
    figure: cpu.ratio(parleyLimited.name, yardstick),
    most: MOST_RATIO,
    unit: 'times',
  })
  return {
    title: 'Limits: what they cost sessions that keep to them',
    notes: [
      `${SESSIONS} sessions, ${RATE} frames/s each way, ${ASKS} responses/s; medians of ${stage.rounds(ROUNDS)} rounds`,
    ],
    columns: ['relay', 'CPU µs/frame', 'x bare', 'frame p50 ms', 'p99', 'response begins p50 ms', 'p99'],
    rows: cases.map(({ name }) => [
      name,
      fixed(cpu.median(name), 2),
      fixed(cpu.ratio(name), 3),
      fixed(frames50.median(name), 2),
      fixed(frames99.median(name), 2),
      fixed(starts50.median(name), 2),
      fixed(starts99.median(name), 2),
    ]),
    bars: [bar(QUIET), bar(parley.name)],
  }
}

async function measure(stage: Stage, relay: Relay, asks: number) {
  const { load, upstream, settings } = stage
  await load.open({ place: relay.place, sessions: SESSIONS })
  await upstream.converse({ lasts: LASTS })
  await load.listen()
  await load.talk({ frame: 'audio', rate: RATE, isStamped: true })
  if (asks > 0) await load.ask({ perSecond: asks })
  await pause(settings.isQuick ? 1_000 : 3_000)
  await Promise.all([load.roundTrips(), load.starts()])
  const before = await sample(stage, relay)
  await pause(settings.isQuick ? 2_000 : 5_000)
  const after = await sample(stage, relay)
  const trips = await load.roundTrips()
  const starts = await load.starts()
  await stage.clear()
  return { micros: (after.micros - before.micros) / (after.frames - before.frames), trips, starts }
}

async function sample(stage: Stage, relay: Relay): Promise<{ frames: number; micros: number }> {
  const [load, upstream] = await Promise.all([stage.load.count(), stage.upstream.count()])
  return { frames: load.messages + upstream.messages, micros: cpuMicros(relay.pid) }
}
