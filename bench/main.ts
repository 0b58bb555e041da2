import { parseArgs } from 'node:util'
import { haproxy } from './relays/haproxy.ts'
import { type Bar, type Report, show, showBar } from './report.ts'
import { frameCost } from './scenarios/frame-cost.ts'
import { latency } from './scenarios/latency.ts'
import { memory } from './scenarios/memory.ts'
import { opening } from './scenarios/opening.ts'
import { stalledReader } from './scenarios/stalled-reader.ts'
import { Stage } from './stage.ts'

const SCENARIOS: Readonly<Record<string, (stage: Stage) => AsyncGenerator<Report>>> = {
  frames: frameCost,
  latency,
  memory,
  stalled: stalledReader,
  opening,
}

const HELP = `npm run bench -- [--only <scenario>] [--quick] [--rounds <n>] [--profile <folder>]

Parley beside a bare ws relay and HAProxy, everything on 127.0.0.1, in turn, several rounds; figures are medians.
  --only      one of: ${Object.keys(SCENARIOS).join(', ')}
  --quick     one short round of each, for a look
  --rounds    how often each relay is measured
  --profile   writes a CPU profile of Parley's process there
`

/** A measurement, not a verdict: it fails only when a run breaks. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const names = values.only === undefined ? Object.keys(SCENARIOS) : [values.only]
  if (values.help || names.some((name) => SCENARIOS[name] === undefined)) return void process.stdout.write(HELP)
  if (process.platform !== 'linux') throw new Error('The bench reads /proc, so it runs on Linux only.')
  const without = haproxy.missing()
  if (without !== null) process.stdout.write(`${without}\n`)
  await using stage = await Stage.set({
    isQuick: values.quick,
    rounds: values.rounds === undefined ? null : Number(values.rounds),
    parleyNodeOptions: values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`],
  })
  const bars: Bar[] = []
  for (const name of names) {
    for await (const report of SCENARIOS[name]?.(stage) ?? []) {
      process.stdout.write(show(report))
      bars.push(...report.bars)
    }
  }
  if (names.length > 1) process.stdout.write(`\nAll bars\n${bars.map(showBar).join('\n')}\n`)
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  },
)
