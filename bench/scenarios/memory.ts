import { setTimeout as pause } from 'node:timers/promises'
import { residentBytes } from '../process-usage.ts'
import type { Relay, RelayKind } from '../relays/relay.ts'
import { fixed, type Report, Rounds } from '../report.ts'
import type { Stage } from '../stage.ts'

const SESSIONS = 5_000
const ROUNDS = 3
/** Sessions opened and closed before anything is measured, so that code is compiled and pools are filled. */
const WARM_UP = 50
/** Frames a second each way in an active session: what two processors can carry for 5,000. */
const ACTIVE_RATE = 1
const ACTIVE_MS = 10_000
const MOST_IDLE_KB = 30
const MOST_ACTIVE_KB = 60

interface Figures {
  idle: number
  idleCollected: number
  active: number
  activeCollected: number
}

/** Resident memory of a relay with thousands of sessions, over what it had without. A fresh process each time. */
export async function memory(stage: Stage): Promise<Report> {
  const sessions = stage.settings.isQuick ? 1_000 : SESSIONS
  const { kinds } = stage
  const all = { idle: new Rounds(), idleCollected: new Rounds(), active: new Rounds(), activeCollected: new Rounds() }
  for (let round = 0; round < stage.rounds(ROUNDS); round++) {
    for (const kind of kinds) {
      const figures = await measure(stage, kind, sessions)
      for (const key of ['idle', 'idleCollected', 'active', 'activeCollected'] as const) {
        all[key].add(kind.name, figures[key] / sessions / 1_000)
      }
    }
  }
  return {
    title: `Memory: resident kB per session at ${sessions} sessions`,
    notes: [
      `idle: opened, one event sent, then nothing; active: 2.6 kB of audio each way ${ACTIVE_RATE}/s for ${ACTIVE_MS / 1_000} s`,
      'collected: after a forced garbage collection; else as it stands. Kernel buffers and Redis are not counted.',
    ],
    columns: ['relay', 'idle', 'idle, collected', 'active', 'active, collected'],
    rows: kinds.map(({ name }) => [
      name,
      fixed(all.idle.median(name), 1),
      fixed(all.idleCollected.median(name), 1),
      fixed(all.active.median(name), 1),
      fixed(all.activeCollected.median(name), 1),
    ]),
    bars: [
      { name: 'idle session of parley', figure: all.idleCollected.median('parley'), most: MOST_IDLE_KB, unit: 'kB' },
      {
        name: 'active session of parley',
        figure: all.activeCollected.median('parley'),
        most: MOST_ACTIVE_KB,
        unit: 'kB',
      },
    ],
  }
}

async function measure(stage: Stage, kind: RelayKind, sessions: number): Promise<Figures> {
  const { load } = stage
  await using relay = await stage.start(kind)
  await load.open({ place: relay.place, sessions: WARM_UP })
  await talk(stage, 5, 1_000)
  await stage.clear()
  const base = await collected(relay)

  await load.open({ place: relay.place, sessions })
  await pause(2_000)
  const idle = residentBytes(relay.pid) - base
  const idleCollected = (await collected(relay)) - base

  await talk(stage, ACTIVE_RATE, ACTIVE_MS)
  const active = residentBytes(relay.pid) - base
  const activeCollected = (await collected(relay)) - base
  await stage.clear()
  return { idle, idleCollected, active, activeCollected }
}

/** Goes on talking when it returns. */
async function talk({ load, upstream }: Stage, rate: number, ms: number): Promise<void> {
  await upstream.speak({ frame: 'audio', rate })
  await load.talk({ frame: 'audio', rate })
  await pause(ms)
}

async function collected(relay: Relay): Promise<number> {
  await relay.collect()
  await pause(1_000)
  await relay.collect()
  return residentBytes(relay.pid)
}
