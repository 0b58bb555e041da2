import { setTimeout as pause } from 'node:timers/promises'
import type { FrameKind } from '../frames.ts'
import { cpuMicros } from '../process-usage.ts'
import { type Bar, fixed, type Report, Rounds } from '../report.ts'
import { type Scenario, type Side, type Stage, turns } from '../stage.ts'

interface Case {
  frame: FrameKind
  size: string
  sessions: number
  /** Frames a second in each session and direction. */
  rate: number | 'flood'
  casts: number
}

/** 20 kB frames come as rarely as the audio in them takes to speak. */
const CASES: readonly Case[] = [
  { frame: 'audio', size: '2.6 kB', sessions: 400, rate: 25, casts: 3 },
  { frame: 'audio', size: '2.6 kB', sessions: 8, rate: 'flood', casts: 3 },
  { frame: 'small', size: '200 B', sessions: 400, rate: 25, casts: 1 },
  { frame: 'small', size: '200 B', sessions: 8, rate: 'flood', casts: 1 },
  { frame: 'large', size: '20 kB', sessions: 400, rate: 4, casts: 1 },
  { frame: 'large', size: '20 kB', sessions: 8, rate: 'flood', casts: 1 },
]
/** Turns of each relay in a cast. */
const TURNS = 10
/** How long frames go forth and back before they are counted, and while they are, ms. */
const RAMP = 500
const TURN = 1_500
/** Until the last frames of a turn have arrived and the end of its responses is booked, ms. */
const AFTERGLOW = 300
/** Of the 2.6 kB frame, with everything on, times a bare relay's. */
const MOST_RATIO = 1.15

/** What it costs a relay to pass on one frame, both directions at once: one scenario for each size and pace. */
export const frameCosts: Readonly<Record<string, Scenario>> = Object.fromEntries(
  CASES.map((wanted) => [
    `frames-${wanted.frame}-${wanted.rate === 'flood' ? 'flooded' : 'paced'}`,
    (stage) => measureCase(stage, wanted),
  ]),
)

/**
 * The sessions of all relays stand from the beginning, and those of one after the other talk for a short turn, so that what
 * the machine does beside this falls on all alike. Two processes of the same relay differ, too: so all of it is done
 * again with a cast of new ones.
 */
async function measureCase(stage: Stage, wanted: Case): Promise<Report> {
  const costs = new Rounds()
  const rates = new Rounds()
  const late = new Rounds()
  const casts = stage.rounds(wanted.casts)
  const ratios: number[] = []
  for (let cast = 0; cast < casts; cast++) {
    await using stack = new AsyncDisposableStack()
    const sides: Side[] = []
    for (const kind of stage.kinds) sides.push(await stage.side(kind, stack))
    for (const { relay, load } of sides) await load.open({ place: relay.place, sessions: wanted.sessions })
    // The first turns find nothing compiled.
    for (const side of sides) await measure(side, wanted)
    const own = new Rounds()
    for (const side of turns(sides, TURNS)) {
      const { micros, frames, ms, skipped } = await measure(side, wanted)
      for (const each of [costs, own]) each.add(side.relay.name, micros / frames)
      rates.add(side.relay.name, frames / (ms / 1_000))
      late.add(side.relay.name, skipped / frames)
    }
    ratios.push(own.ratio('parley'))
    for (const { load } of sides) await load.close()
  }
  const names = stage.kinds.map(({ name }) => name)
  const how = wanted.rate === 'flood' ? 'flooded' : 'paced'
  return {
    title: `CPU per frame: ${wanted.size}, ${how}`,
    notes: [
      wanted.rate === 'flood'
        ? `${wanted.sessions} sessions, both ways as fast as they are taken`
        : `${wanted.sessions} sessions, ${wanted.rate} frames/s each way in each`,
      `medians of ${casts * TURNS} turns; parley / bare in each cast: ${ratios.map((each) => fixed(each, 3)).join(', ')}`,
    ],
    columns: ['relay', 'CPU µs/frame', 'x bare', 'frames/s', 'CPU share', 'sent late'],
    rows: names.map((name) => [
      name,
      fixed(costs.median(name), 2),
      fixed(costs.ratio(name), 3),
      fixed(rates.median(name), 0),
      `${fixed((costs.median(name) * rates.median(name)) / 10_000, 0)} %`,
      `${fixed(late.median(name) * 100, 1)} %`,
    ]),
    bars: wanted.frame === 'audio' ? [bar(`2.6 kB ${how}, parley / bare`, costs.ratio('parley'))] : [],
  }
}

function bar(name: string, figure: number): Bar {
  return { name, figure, most: MOST_RATIO, unit: 'times' }
}

/** One turn: counts in the steady state only. */
async function measure(
  side: Side,
  { frame, rate }: Case,
): Promise<{ micros: number; frames: number; ms: number; skipped: number }> {
  const { load, upstream } = side
  await upstream.speak({ frame, rate })
  await load.talk({ frame, rate })
  await pause(RAMP)
  const before = await sample(side)
  await pause(TURN)
  const after = await sample(side)
  await load.fallSilent()
  await upstream.fallSilent()
  await pause(AFTERGLOW)
  return {
    micros: after.micros - before.micros,
    frames: after.frames - before.frames,
    ms: after.at - before.at,
    skipped: after.skipped - before.skipped,
  }
}

async function sample({ relay, load, upstream }: Side) {
  const [callers, provider] = await Promise.all([load.count(), upstream.count()])
  return {
    frames: callers.messages + provider.messages,
    skipped: callers.skipped + provider.skipped,
    micros: cpuMicros(relay.pid),
    at: performance.now(),
  }
}
