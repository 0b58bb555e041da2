// Every check there is, cheapest first. Closes with one line: `N passed, N failed`.
//   npm test                      everything
//   npm test -- lint unit         some of the steps by name
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bin = (name, file) => join(root, 'node_modules', name, file)
const reports = join(root, '.runtime', 'reports')

const steps = [
  { name: 'lint', args: [bin('@biomejs/biome', 'bin/biome'), 'check', '.'] },
  { name: 'types', args: [bin('typescript', 'bin/tsc'), '--noEmit'] },
  { name: 'browser', args: [bin('typescript', 'bin/tsc'), '--noEmit', '-p', 'tsconfig.browser.json'] },
  { name: 'build', args: [join(root, 'scripts', 'build.mjs')] },
  // Some files at a time: much of what they do is to wait, and left alone vitest leaves a machine of two cores half idle.
  { name: 'unit', vitest: 'unit', workers: 2 },
  { name: 'real', vitest: 'real', workers: 3 },
  { name: 'wide', vitest: 'wide', workers: 2 },
  { name: 'clock', vitest: 'clock', workers: 2 },
  { name: 'e2e', vitest: 'e2e' },
  { name: 'docker', args: [join(root, 'scripts', 'docker-steps.mjs')] },
]

// Only what tests need is handed down: a developer's own keys and settings must not change what is tested.
const KEPT = /^(PATH|HOME|TMPDIR|LANG|USER|CI|NODE_EXTRA_CA_CERTS|npm_execpath|npm_config_\w+|https?_proxy)$/i
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => KEPT.test(name)))
env.PATH = [join(root, '.runtime', 'bin'), process.env.PATH].join(delimiter)

function run(args) {
  return spawnSync(process.execPath, args, { cwd: root, env, stdio: 'inherit' }).status === 0
}

/** Runs one vitest project and reads from its report how many tests passed and failed. */
function vitest(project, workers) {
  const report = join(reports, `${project}.json`)
  rmSync(report, { force: true })
  const isGreen = run([
    bin('vitest', 'vitest.mjs'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...(workers === undefined ? [] : [`--maxWorkers=${workers}`]),
  ])
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
    // A file that could not even be loaded has no tests to count.
    const failed = isGreen ? numFailedTests : Math.max(1, numFailedTests)
    return { passed: numPassedTests, failed, failures: testResults.flatMap(failuresOf) }
  } catch {
    return { passed: 0, failed: 1, failures: [`${project}: no report was written`] }
  }
}

/** What went wrong in one test file, a few lines for each test: what is read when only the end of a log was kept. */
function failuresOf({ name, message, assertionResults }) {
  const file = relative(root, name)
  const failures = assertionResults
    .filter(({ status }) => status === 'failed')
    .map((test) => `${file}: ${test.fullName}\n${excerpt(test.failureMessages.join('\n'))}`)
  return failures.length === 0 && message ? [`${file}\n${excerpt(message)}`] : failures
}

function excerpt(text) {
  const lines = text.split('\n').slice(0, 12)
  return lines.map((line) => `    ${line.replaceAll(root, '.').slice(0, 300)}`).join('\n')
}

mkdirSync(reports, { recursive: true })
const wanted = process.argv.slice(2)
for (const name of wanted) {
  if (steps.some((step) => step.name === name)) continue
  process.stderr.write(`no step is named '${name}': ${steps.map((step) => step.name).join(', ')}\n`)
  process.exit(2)
}
let passed = 0
let failed = 0
const lines = []
const failures = []
for (const step of steps) {
  if (wanted.length > 0 && !wanted.includes(step.name)) continue
  const begun = performance.now()
  const isGreen = step.args === undefined ? null : run(step.args)
  const count =
    isGreen === null
      ? vitest(step.vitest, step.workers)
      : { passed: Number(isGreen), failed: Number(!isGreen), failures: isGreen ? [] : [step.name] }
  failures.push(...count.failures)
  passed += count.passed
  failed += count.failed
  const seconds = Math.round((performance.now() - begun) / 1_000)
  lines.push(`${step.name.padEnd(8)} ${count.passed} passed, ${count.failed} failed (${seconds} s)`)
}
for (const failure of failures) process.stdout.write(`\nfailed: ${failure}\n`)
process.stdout.write(`\n${lines.join('\n')}\n${passed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
