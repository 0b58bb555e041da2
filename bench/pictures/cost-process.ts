import { readFileSync } from 'node:fs'
import process from 'node:process'
import sharp from 'sharp'
import { median } from '../report.ts'
import { make, RULES, type Rule } from './workshop.ts'

/**
 * What one picture takes, in a process of its own: node cost-process.ts <picture> <times> <at once>. Prints JSON: processor
 * milliseconds for a picture prepared, for the same by sharp alone (fit 768, JPEG), and the most memory it had, bytes.
 */
const [path = '', times = '20', atOnce = '4'] = process.argv.slice(2)
const rule = RULES[0] as Rule

async function cpuMs(run: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

const prepare = () => make(path, rule)
const alone = () =>
  sharp(path, { sequentialRead: true })
    .autoOrient()
    .resize(768, 768, { fit: 'inside' })
    .jpeg({ quality: 80 })
    .toBuffer()
// The first ones load and compile; a worker has them behind it.
for (let i = 0; i < 60; i++) await prepare()
// In turn, so that a busy neighbour slows both down alike.
const seen: { prepared: number; yardstick: number }[] = []
for (let i = 0; i < Number(times); i++) seen.push({ prepared: await cpuMs(prepare), yardstick: await cpuMs(alone) })
const prepared = median(seen.map(({ prepared }) => prepared))
const yardstick = median(seen.map(({ yardstick }) => yardstick))
for (let i = 0; i < Number(times) / Number(atOnce); i++) {
  await Promise.all(Array.from({ length: Number(atOnce) }, prepare))
}
const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) * 1_024
process.stdout.write(JSON.stringify({ prepared, yardstick, peak }))
