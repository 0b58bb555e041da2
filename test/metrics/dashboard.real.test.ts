import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWorkerStatus } from '../../src/http/worker-status.ts'
import { Metrics } from '../../src/metrics.ts'
import { Parley } from '../support/parley.ts'
import { wholeWorkers } from '../support/whole-workers.ts'

const file = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

interface Exposed {
  readonly type: string
  readonly help: string
}
/** What a histogram called so is asked by. */
const baseOf = (name: string) => name.replace(/_(bucket|sum|count)$/, '')

describe('metrics of a node and of its workers', () => {
  const stack = new AsyncDisposableStack()
  const exposed = new Map<string, Exposed>()
  beforeAll(async () => {
    const parley = stack.use(await Parley.start({ ledger: true }))
    const metrics = new Metrics()
    await wholeWorkers(parley, stack, metrics)
    const listen = { host: '127.0.0.1', port: 0 }
    const workers = stack.use(await openWorkerStatus(listen, { metrics, unready: async () => null }))
    for (const url of [parley.url, workers.url]) {
      const answer = await fetch(`${url}/metrics`)
      expect(answer.headers.get('content-type')).toContain('text/plain; version=0.0.4')
      const text = await answer.text()
      const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name, help ?? '']))
      for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
        exposed.set(name, { type, help: helps.get(name) ?? '' })
      }
    }
  }, 60_000)
  afterAll(() => stack.disposeAsync())

  test('V4 whatever the dashboard asks for is there, and asked for as what it is', () => {
    const dashboard = JSON.parse(file('grafana/parley.json'))
    const queries: string[] = dashboard.panels.flatMap(({ targets = [] }: { targets?: { expr: string }[] }) =>
      targets.map(({ expr }) => expr),
    )
    queries.push(...dashboard.templating.list.map(({ definition = '' }) => definition))
    expect(queries.length).toBeGreaterThan(20)
    const asked = new Set(queries.flatMap((query) => query.match(/\bparley_\w+/g) ?? []))
    for (const name of asked) expect([...exposed.keys()], name).toContain(baseOf(name))
    // A counter by itself says little: only how fast it grows.
    for (const query of queries) {
      for (const [name] of query.matchAll(/\bparley_\w+/g)) {
        if (exposed.get(name)?.type !== 'counter' || query.startsWith('label_values')) continue
        expect(query, name).toMatch(new RegExp(`(rate|increase)\\(${name}[{[]`))
      }
    }
    // And nothing that is told is missing from it.
    const shown = new Set([...asked].map(baseOf))
    for (const name of exposed.keys()) expect([...shown], name).toContain(name)
  })

  test('V4 every metric has a row in the README, and every row a metric', () => {
    const rows = [...file('README.md').matchAll(/^\| `(parley_\w+)`/gm)].map(([, name]) => name)
    expect(rows.toSorted()).toEqual([...exposed.keys()].toSorted())
  })

  test('V4 names say their unit, counters that they count, and each says what it is', () => {
    for (const [name, { type, help }] of exposed) {
      expect(name).toMatch(/^parley_[a-z]+(_[a-z]+)*$/)
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
      // Time in seconds, as everywhere; money in whole billionths of a dollar, which a double holds exactly up to 2^53.
      expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|kb|mb)(_|$)/)
      expect(help, name).toMatch(/^[A-Z].{10,}[^.]$/)
    }
  })
})
