import { readdirSync, readFileSync } from 'node:fs'

/** Processor time the threads of a process have used so far, user and system, µs: the kernel's own accounting, in ns. */
export function cpuMicros(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]) / 1_000)
    .reduce((sum, micros) => sum + micros, 0)
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(line?.[1]) * 1_024
}
