import { parseArgs } from 'node:util'
import { batchOrdeal } from './media/batch-ordeal.ts'
import { mediaOrdeal } from './media/media-ordeal.ts'
import { ordeal } from './ordeal.ts'
import { type Finding, show } from './report.ts'

const HELP = `npm run ordeal -- [--sessions <n>] [--seed <n>] [--brokers <n>] [--minutes <n>] [--callers <n>] [--quick]
npm run ordeal -- --media [--jobs <n>] [--tenants <n>] [--seed <n>] [--minutes <n>] [--callers <n>] [--quick]
npm run ordeal -- --batch [--lines <n>] [--minutes <n>]

Callers by the thousand, and everything that can go wrong meanwhile; then the books are held against the provider's own.
  --sessions  sessions that must be let in: 2000
  --seed      what goes wrong when, and what callers do: a run can be repeated
  --brokers   processes that share one Redis: 3
  --minutes   longest time for the sessions: 8, for jobs and lines: 30
  --callers   callers at once: 80, customers: 40
  --quick     200 sessions, or 30 jobs
  --media     the batch door: jobs while doors, workers and Redis die
  --jobs      jobs that must be acknowledged: 2000
  --tenants   whose jobs they are: 20; one of them orders three quarters at once
  --batch     one list of lines while its workers are killed every 5 s
  --lines     of that list: 50000
  --keep      leaves the run's folder, with the logs of every process
`

const OPTIONS = {
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
  batch: { type: 'boolean', default: false },
  lines: { type: 'string', default: '50000' },
  help: { type: 'boolean', default: false },
} as const
type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']

function run(values: Values, say: (line: string) => void): Promise<Finding[]> {
  const { quick, keep, minutes, callers } = values
  const seed = Number(values.seed)
  if (values.batch)
    return batchOrdeal({ lines: Number(values.lines), lengthMs: Number(minutes ?? 30) * 60_000, keep }, say)
  if (values.media) {
    const jobs = Number(values.jobs ?? (quick ? 30 : 2_000))
    const tenants = Number(values.tenants ?? (quick ? 5 : 20))
    const customers = Number(callers ?? (quick ? 8 : 40))
    return mediaOrdeal({ jobs, tenants, customers, lengthMs: Number(minutes ?? 30) * 60_000, seed, keep }, say)
  }
  const sessions = Number(values.sessions ?? (quick ? 200 : 2_000))
  const brokers = Number(values.brokers)
  const lengthMs = Number(minutes ?? 8) * 60_000
  return ordeal({ sessions, brokers, lengthMs, callers: Number(callers ?? 80), seed, keep }, say)
}

/** A verdict: exits with 1 when a promise was broken. */
async function main(): Promise<boolean> {
  const { values } = parseArgs({ options: OPTIONS })
  if (values.help) {
    process.stdout.write(HELP)
    return true
  }
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const findings = await run(values, say)
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
