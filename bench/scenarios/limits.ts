import { setTimeout as pause } from 'node:timers/promises'
import { cpuMicros } from '../process-usage.ts'
import { bare } from '../relays/bare.ts'
import { parley, parleyLimited, parleyWithoutMoney } from '../relays/parley.ts'
import { fixed, type Report, Rounds } from '../report.ts'
import { type Side, type Stage, turns } from '../stage.ts'

const SESSIONS = 500
/** Frames of 40 ms a second, each way: as many as leave callers and provider on two cores time to measure in. */
const RATE = 8
/** Frames for each response, as where one is asked for every ten seconds of a call; of all sessions together, a second. */
const FRAMES_PER_RESPONSE = 500
const ASKS = (SESSIONS * RATE * 2) / FRAMES_PER_RESPONSE
/** How long a response lasts, ms. */
const LASTS = 1_000
/** From the first frame of a turn until as many responses end as begin, ms. */
const RAMP = 1_300
const TURN = 2_000
const ROUNDS = 16
/** Responses a second, times the usual, and for how long, ms: after that nothing is left to be compiled. */
const WARM = { times: 10, lasts: 10_000 }
/** Of the processor time with limits, times that of the same Parley without. */
const MOST_RATIO = 1.15

/**
 * What metering, limits and booking cost those who keep to them, against the same Parley without any of it. Of the two that
 * book, one has limits: every response is reserved for, and all audio is paced. The time of Redis is not in it.
 *
 * All sessions stand from the beginning, and those of one relay after the other talk for a short turn, forth and back: what
 * the machine does beside this falls on all alike.
 */
export async function limits(stage: Stage): Promise<Report> {
  await using stack = new AsyncDisposableStack()
  const sides: Side[] = []
  for (const kind of [bare, parleyWithoutMoney, parley, parleyLimited]) sides.push(await stage.side(kind, stack))
  for (const { relay, load, upstream } of sides) {
    await load.open({ place: relay.place, sessions: SESSIONS })
    await upstream.converse({ lasts: LASTS })
    await load.listen()
  }
  const figures = Object.fromEntries(FIGURES.map((name) => [name, new Rounds()])) as Record<Figure, Rounds>
  for (const side of sides) await warm(side)
  const rounds = stage.rounds(ROUNDS)
  for (const side of turns(sides, rounds)) {
    const seen = await measure(side)
    for (const figure of FIGURES) figures[figure].add(side.relay.name, seen[figure])
  }
  for (const { load } of sides) await load.close()
  const bar = (yardstick: string) => ({
    name: `CPU per frame, parley +limits / ${yardstick}`,
    figure: figures.cpu.ratio(parleyLimited.name, yardstick),
    most: MOST_RATIO,
    unit: 'times',
  })
  return {
    title: 'Limits: what they cost sessions that keep to them',
    notes: [`${SESSIONS} sessions, ${RATE} frames/s each way, ${ASKS} responses/s; medians of ${rounds} rounds`],
    columns: ['relay', 'CPU µs/frame', 'x bare', 'frame p50 ms', 'p99', 'response begins p50 ms', 'p99'],
    rows: sides.map(({ relay: { name } }) => [
      name,
      fixed(figures.cpu.median(name), 2),
      fixed(figures.cpu.ratio(name), 3),
      ...(['frame50', 'frame99', 'start50', 'start99'] as const).map((figure) =>
        fixed(figures[figure].median(name) / 1_000, 2),
      ),
    ]),
    bars: [bar(parleyWithoutMoney.name), bar(parley.name)],
  }
}

/** Processor time for each frame, and how long frames and beginnings of responses take, µs. */
const FIGURES = ['cpu', 'frame50', 'frame99', 'start50', 'start99'] as const
type Figure = (typeof FIGURES)[number]

/** A node that has been at work for a while: what it does for a response is compiled only when it has often done it. */
async function warm(side: Side): Promise<void> {
  const { load } = side
  await load.talk({ frame: 'audio', rate: RATE, isStamped: true })
  await load.ask({ perSecond: ASKS * WARM.times })
  await pause(WARM.lasts)
  await load.fallSilent()
  await measure(side)
}

/** One turn of talk. */
async function measure(side: Side): Promise<Record<Figure, number>> {
  const { load } = side
  await load.talk({ frame: 'audio', rate: RATE, isStamped: true })
  await load.ask({ perSecond: ASKS })
  await pause(RAMP)
  await Promise.all([load.roundTrips(), load.starts()])
  const before = await sample(side)
  await pause(TURN)
  const after = await sample(side)
  const trips = await load.roundTrips()
  const starts = await load.starts()
  await load.fallSilent()
  return {
    cpu: (after.micros - before.micros) / (after.frames - before.frames),
    frame50: trips.p50,
    frame99: trips.p99,
    start50: starts.p50,
    start99: starts.p99,
  }
}

async function sample({ relay, load, upstream }: Side) {
  const [callers, provider] = await Promise.all([load.count(), upstream.count()])
  return { frames: callers.messages + provider.messages, micros: cpuMicros(relay.pid) }
}
