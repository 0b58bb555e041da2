import { expect, test } from 'vitest'
import { Board } from '../../src/broker/node/board.ts'
import type { Config } from '../../src/config/config.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { createApp } from '../../src/http/app.ts'
import { liveRoutes } from '../../src/http/console/live.ts'
import { Metrics } from '../../src/metrics.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { admin, policy, silent, TempFolder } from '../support/parley.ts'

test('V2 a console whose key is good no more is told nothing from the next beat on', async () => {
  using folder = new TempFolder()
  const clock = new ManualClock()
  let config: Config = configFrom(policy(null, folder.path))
  const away = () => Promise.reject(new Error('away'))
  using board = new Board({
    clock,
    nodes: { id: 'one', living: async () => ['one'] },
    inquiries: { ask: async () => null },
    jobs: away,
    money: away,
  })
  const app = createApp({ log: silent, metrics: new Metrics(), unready: async () => null })
  liveRoutes(app, { config: () => config, clock, board })
  const headers = { Authorization: `Bearer ${admin.key}` }
  const response = await app.request('/v1/admin/live', { headers })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toBe('retry: 2000\n\n')
  expect((await reader.read()).value).toContain('event: tick\n')
  await new Promise(setImmediate)
  clock.pass(15_000)
  // Good for another beat: rounds and signs of life go on.
  for (;;) if ((await reader.read()).value === ': still here\n\n') break

  config = { ...config, adminKeyHash: null }
  await new Promise(setImmediate)
  clock.pass(15_000)
  for (;;) if ((await reader.read()).done) break
})
