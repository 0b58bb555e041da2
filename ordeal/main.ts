import { parseArgs } from 'node:util'
import { mediaOrdeal } from './media/media-ordeal.ts'
import { ordeal } from './ordeal.ts'
import { type Finding, show } from './report.ts'

const HELP = `npm run ordeal -- [--sessions <n>] [--seed <n>] [--brokers <n>] [--minutes <n>] [--callers <n>] [--quick]
npm run ordeal -- --media [--jobs <n>] [--tenants <n>] [--seed <n>] [--minutes <n>] [--callers <n>] [--quick]

Callers by the thousand, and everything that can go wrong meanwhile; then the books are held against the provider's own.
  --sessions  sessions that must be let in: 2000
  --seed      what goes wrong when, and what callers do: a run can be repeated
  --brokers   processes that share one Redis: 3
  --minutes   longest time for the sessions: 8, for the jobs: 30
  --callers   callers at once: 80, customers: 40
  --quick     200 sessions, or 30 jobs
  --media     the batch door: jobs while doors, workers and Redis die
  --jobs      jobs that must be acknowledged: 2000
  --tenants   whose jobs they are: 20
  --keep      leaves the run's folder, with the logs of every process
`

/** A verdict: exits with 1 when a promise was broken. */
async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      sessions: { type: 'string' },
      seed: { type: 'string', default: '1' },
      brokers: { type: 'string', default: '3' },
      minutes: { type: 'string' },
      callers: { type: 'string' },
      quick: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      media: { type: 'boolean', default: false },
      jobs: { type: 'string' },
      tenants: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return true
  }
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const { quick, keep } = values
  const seed = Number(values.seed)
  const findings: Finding[] = values.media
    ? await mediaOrdeal(
        {
          jobs: Number(values.jobs ?? (quick ? 30 : 2_000)),
          tenants: Number(values.tenants ?? (quick ? 5 : 20)),
          lengthMs: Number(values.minutes ?? 30) * 60_000,
          customers: Number(values.callers ?? (quick ? 8 : 40)),
          ...{ seed, keep },
        },
        say,
      )
    : await ordeal(
        {
          sessions: Number(values.sessions ?? (quick ? 200 : 2_000)),
          brokers: Number(values.brokers),
          lengthMs: Number(values.minutes ?? 8) * 60_000,
          callers: Number(values.callers ?? 80),
          ...{ seed, keep },
        },
        say,
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
