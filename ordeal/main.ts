import { parseArgs } from 'node:util'
import { ordeal } from './ordeal.ts'
import { type Finding, show } from './report.ts'

const HELP = `npm run ordeal -- [--sessions <n>] [--seed <n>] [--brokers <n>] [--minutes <n>] [--callers <n>] [--quick]

Callers by the thousand, and everything that can go wrong meanwhile; then the books are held against the provider's own.
  --sessions  sessions that must be let in: 2000
  --seed      what goes wrong when, and what callers do: a run can be repeated
  --brokers   processes that share one Redis: 3
  --minutes   longest time for the sessions: 8
  --callers   callers at once: 80
  --quick     200 sessions
  --keep      leaves the run's folder, with the logs of every process
`

/** A verdict: exits with 1 when a promise was broken. */
async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      sessions: { type: 'string' },
      seed: { type: 'string', default: '1' },
      brokers: { type: 'string', default: '3' },
      minutes: { type: 'string', default: '8' },
      callers: { type: 'string' },
      quick: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return true
  }
  const findings: Finding[] = await ordeal(
    {
      sessions: Number(values.sessions ?? (values.quick ? 200 : 2_000)),
      seed: Number(values.seed),
      brokers: Number(values.brokers),
      lengthMs: Number(values.minutes) * 60_000,
      callers: Number(values.callers ?? 80),
      keep: values.keep,
    },
    (line) => process.stdout.write(`${line}\n`),
  )
  process.stdout.write(show(findings))
  return findings.every(({ isKept }) => isKept)
}

main().then(
  (isKept) => process.exit(isKept ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`ordeal: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(1)
  },
)
