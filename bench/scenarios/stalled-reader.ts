import { setTimeout as pause } from 'node:timers/promises'
import { residentBytes } from '../process-usage.ts'
import type { RelayKind } from '../relays/relay.ts'
import { fixed, type Report, Rounds } from '../report.ts'
import type { Stage } from '../stage.ts'

const SENT_BYTES = 192 * 1_024 * 1_024
const ROUNDS = 3
/** How long the relay is watched, ms, and how often. Longer than Parley bears with a slow reader. */
const WATCHED_MS = 9_000
const EVERY_MS = 25
/** Parley has not lost patience yet (`door.slowReader`, 5 s), ms. */
const BORNE_MS = 4_000
const MOST_MB = 4

/** One caller stops reading while its provider sends 192 MiB: how far the relay's memory grows. */
export async function stalledReader(stage: Stage): Promise<Report> {
  const { kinds } = stage
  const borne = new Rounds()
  const growth = new Rounds()
  const taken = new Rounds()
  for (let round = 0; round < stage.rounds(ROUNDS); round++) {
    for (const kind of kinds) {
      const figures = await measure(stage, kind)
      borne.add(kind.name, figures.borne / 1_000_000)
      growth.add(kind.name, figures.growth / 1_000_000)
      taken.add(kind.name, figures.taken / 1_000_000)
    }
  }
  return {
    title: 'Stalled reader: memory while 192 MiB are sent to a caller that has stopped reading',
    notes: [
      'growth: highest resident memory over that before, in all and while the stalled caller is borne;',
      'taken: what the provider could send, be it kept or dropped',
    ],
    columns: ['relay', 'growth MB', 'in 4 s MB', 'taken MB'],
    rows: kinds.map(({ name }) => [
      name,
      fixed(growth.median(name), 1),
      fixed(borne.median(name), 1),
      fixed(taken.median(name), 1),
    ]),
    bars: ['parley', 'parley +resume'].map((name) => ({
      name: `stalled reader, ${name}`,
      figure: growth.median(name),
      most: MOST_MB,
      unit: 'MB',
    })),
  }
}

async function measure(stage: Stage, kind: RelayKind): Promise<{ borne: number; growth: number; taken: number }> {
  const { load, upstream } = stage
  await using relay = await stage.start(kind)
  // Lightly used first, so that code is compiled; a flood would leave the process with room in which growth is not seen.
  await load.open({ place: relay.place, sessions: 20 })
  await upstream.speak({ frame: 'audio', rate: 25 })
  await pause(2_000)
  await stage.clear()
  await relay.collect()
  await pause(1_000)
  await relay.collect()

  await load.open({ place: relay.place, sessions: 1 })
  await pause(500)
  const before = residentBytes(relay.pid)
  const sentBefore = (await upstream.count()).bytesWritten
  await load.stall()
  await upstream.speak({ frame: 'large', rate: 'flood', most: SENT_BYTES })
  let most = before
  let borne = before
  let taken = 0
  for (const begun = performance.now(); performance.now() - begun < WATCHED_MS; await pause(EVERY_MS)) {
    most = Math.max(most, residentBytes(relay.pid))
    if (performance.now() - begun < BORNE_MS) borne = most
    taken = Math.max(taken, (await upstream.count()).bytesWritten - sentBefore)
  }
  // The relay goes next, and what it has parked for this caller goes with it.
  await upstream.fallSilent()
  await load.close()
  return { borne: borne - before, growth: most - before, taken }
}
