import { fork } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bytes } from '../../src/units.ts'
import { ENVIRONMENT, nodeFlags } from '../../workers/tools/pool-process-settings.ts'
import type { Judged, ListenerName } from './listeners.ts'

export interface Measured {
  readonly judged: Judged
  /** Of the process and its ffmpeg, user and system. */
  readonly cpuSeconds: number
  /** Highest resident memory of the process, bytes, and of it and its ffmpeg together. */
  readonly peak: number
  readonly peakTogether: number
}

/** Memory of a process of the pool where nothing else is said. */
const POOL_MEMORY = bytes(768 * 2 ** 20)
/** How often memory is looked at, ms: peaks last for seconds. */
const LOOK_EVERY = 50

/** Lets somebody listen to a file in a process of its own, started as those of the pool are. */
export async function measure(name: ListenerName, file: string, pieceSeconds: number): Promise<Measured> {
  const child = fork(fileURLToPath(new URL('./listeners.ts', import.meta.url)), {
    execArgv: nodeFlags(POOL_MEMORY),
    env: { ...process.env, ...ENVIRONMENT },
    serialization: 'advanced',
    detached: true,
  })
  const pid = child.pid ?? 0
  let peak = 0
  let peakTogether = 0
  const timer = setInterval(() => {
    const group = residentOf(pid)
    peak = Math.max(peak, group.leader)
    peakTogether = Math.max(peakTogether, group.all)
  }, LOOK_EVERY)
  try {
    const { promise, resolve, reject } = Promise.withResolvers<{ judged: Judged; cpuSeconds: number }>()
    child.once('message', (told) => resolve(told as { judged: Judged; cpuSeconds: number }))
    child.once('exit', (code, signal) => reject(new Error(`${name}: its process ended (${code ?? signal})`)))
    child.send({ name, file, pieceSeconds })
    return { ...(await promise), peak, peakTogether }
  } finally {
    clearInterval(timer)
  }
}

/** Resident memory of a process group's leader, and of the whole group, bytes. */
function residentOf(leader: number): { leader: number; all: number } {
  const found = { leader: 0, all: 0 }
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (Number(fields[2]) !== leader) continue
      const resident = Number(fields[21]) * 4_096
      if (Number(entry) === leader) found.leader = resident
      found.all += resident
    } catch {
      // It ended between two looks.
    }
  }
  return found
}
