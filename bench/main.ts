import { parseArgs } from 'node:util'
import { type Bar, show, showBar } from './report.ts'
import { audio, audioMemory } from './scenarios/audio.ts'
import { frameCosts } from './scenarios/frame-cost.ts'
import { latency } from './scenarios/latency.ts'
import { limits } from './scenarios/limits.ts'
import { memory } from './scenarios/memory.ts'
import { mouthToEar } from './scenarios/mouth-to-ear.ts'
import { opening } from './scenarios/opening.ts'
import { pictures } from './scenarios/pictures.ts'
import { stalledReader } from './scenarios/stalled-reader.ts'
import { KINDS, type Scenario, Stage } from './stage.ts'

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  ...frameCosts,
  latency,
  limits,
  memory,
  stalled: stalledReader,
  opening,
  audio,
  'audio-memory': audioMemory,
  'mouth-to-ear': mouthToEar,
  ...pictures,
}

const HELP = `npm run bench -- [--only <scenario>] [--relays <names>] [--quick] [--rounds <n>] [--node <options>]

Parley beside a bare ws relay and HAProxy, everything on 127.0.0.1, in turn, several rounds; figures are medians.
  --only      scenarios whose name begins so: ${Object.keys(SCENARIOS).join(', ')}
  --relays    some of: ${KINDS.map((kind) => kind.name).join(',')}
  --quick     one short round of each, for a look
  --rounds    how often each relay is measured
  --speech    a folder of labelled recordings for audio: NAME.wav, NAME.rttm, where known NAME.words.tsv, NAME.blocks.tsv
  --pictures  folders of pictures, with a comma between: NAME.jpg, where its text is known NAME.gt.txt
  --node      options of Node for Parley alone: --node='--cpu-prof --cpu-prof-dir=/tmp/profile', --node=--trace-gc
`

/** A measurement, not a verdict: it fails only when a run breaks. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      relays: { type: 'string' },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      speech: { type: 'string' },
      pictures: { type: 'string' },
      node: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  })
  const names = Object.keys(SCENARIOS).filter((name) => name.startsWith(values.only))
  if (values.help || names.length === 0) return void process.stdout.write(HELP)
  if (process.platform !== 'linux') throw new Error('The bench reads /proc, so it runs on Linux only.')
  for (const kind of KINDS) {
    const why = kind.missing()
    if (why !== null) process.stdout.write(`${why}\n`)
  }
  await using stage = await Stage.set({
    isQuick: values.quick,
    rounds: values.rounds === undefined ? null : Number(values.rounds),
    relays: values.relays?.split(',') ?? null,
    speech: values.speech ?? null,
    pictures: values.pictures?.split(',') ?? null,
    parleyNodeOptions: values.node.split(' ').filter((option) => option !== ''),
  })
  const bars: Bar[] = []
  for (const name of names) {
    const report = await SCENARIOS[name]?.(stage)
    if (report === undefined) continue
    process.stdout.write(show(report))
    bars.push(...report.bars)
  }
  if (names.length > 1) process.stdout.write(`\nAll bars\n${bars.map(showBar).join('\n')}\n`)
}

// A run that is broken off takes its relays with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  },
)
