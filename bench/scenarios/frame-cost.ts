import { setTimeout as pause } from 'node:timers/promises'
import type { FrameKind } from '../frames.ts'
import { cpuMicros } from '../process-usage.ts'
import type { Relay } from '../relays/relay.ts'
import { type Bar, fixed, type Report, Rounds } from '../report.ts'
import type { Scenario, Stage } from '../stage.ts'

interface Case {
  frame: FrameKind
  size: string
  sessions: number
  /** Frames a second in each session and direction. */
  rate: number | 'flood'
  rounds: number
}

/** 20 kB frames come as rarely as the audio in them takes to speak. */
const CASES: readonly Case[] = [
  { frame: 'audio', size: '2.6 kB', sessions: 400, rate: 25, rounds: 5 },
  { frame: 'audio', size: '2.6 kB', sessions: 8, rate: 'flood', rounds: 5 },
  { frame: 'small', size: '200 B', sessions: 400, rate: 25, rounds: 3 },
  { frame: 'small', size: '200 B', sessions: 8, rate: 'flood', rounds: 3 },
  { frame: 'large', size: '20 kB', sessions: 400, rate: 4, rounds: 3 },
  { frame: 'large', size: '20 kB', sessions: 8, rate: 'flood', rounds: 3 },
]
/** Of the 2.6 kB frame, with everything on, times a bare relay's. */
const MOST_RATIO = 1.15

/** What it costs a relay to pass on one frame, both directions at once: one scenario for each size and pace. */
export const frameCosts: Readonly<Record<string, Scenario>> = Object.fromEntries(
  CASES.map((wanted) => [
    `frames-${wanted.frame}-${wanted.rate === 'flood' ? 'flooded' : 'paced'}`,
    (stage) => measureCase(stage, wanted),
  ]),
)

async function measureCase(stage: Stage, wanted: Case): Promise<Report> {
  await using stack = new AsyncDisposableStack()
  const relays = await stage.startAll(stack)
  const costs = new Rounds()
  const rates = new Rounds()
  const late = new Rounds()
  for (let round = 0; round < stage.rounds(wanted.rounds); round++) {
    for (const relay of relays) {
      const { micros, frames, ms, skipped } = await measure(stage, relay, wanted)
      costs.add(relay.name, micros / frames)
      rates.add(relay.name, frames / (ms / 1_000))
      late.add(relay.name, skipped / frames)
    }
  }
  const how = wanted.rate === 'flood' ? 'flooded' : 'paced'
  return {
    title: `CPU per frame: ${wanted.size}, ${how}`,
    notes: [
      wanted.rate === 'flood'
        ? `${wanted.sessions} sessions, both ways as fast as they are taken`
        : `${wanted.sessions} sessions, ${wanted.rate} frames/s each way in each`,
    ],
    columns: ['relay', 'CPU µs/frame', 'x bare', 'frames/s', 'CPU share', 'sent late'],
    rows: relays.map(({ name }) => [
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

/** Counts in the steady state only: what came before the window and after it does not matter. */
async function measure(
  stage: Stage,
  relay: Relay,
  { frame, sessions, rate }: Case,
): Promise<{ micros: number; frames: number; ms: number; skipped: number }> {
  const { load, upstream, settings } = stage
  await load.open({ place: relay.place, sessions })
  await upstream.speak({ frame, rate })
  await load.talk({ frame, rate })
  await pause(settings.isQuick ? 1_000 : 2_000)
  const before = await sample(stage, relay)
  await pause(settings.isQuick ? 2_000 : 4_000)
  const after = await sample(stage, relay)
  await stage.clear()
  return {
    micros: after.micros - before.micros,
    frames: after.frames - before.frames,
    ms: after.at - before.at,
    skipped: after.skipped - before.skipped,
  }
}

async function sample(stage: Stage, relay: Relay) {
  const [load, upstream] = await Promise.all([stage.load.count(), stage.upstream.count()])
  return {
    frames: load.messages + upstream.messages,
    skipped: load.skipped + upstream.skipped,
    micros: cpuMicros(relay.pid),
    at: performance.now(),
  }
}
