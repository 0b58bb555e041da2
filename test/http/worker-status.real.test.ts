import { expect, test } from 'vitest'
import { openWorkerStatus } from '../../src/http/worker-status.ts'
import { MediaMetrics, Metrics } from '../../src/metrics.ts'

test('V4 a process of workers tells its health and its metrics where the configuration says, and nothing else', async () => {
  const metrics = new Metrics()
  new MediaMetrics(metrics.registry).jobsEnded.inc({ type: 'audio.prepare', status: 'succeeded' })
  let why: string | null = null
  await using status = await openWorkerStatus({ host: '127.0.0.1', port: 0 }, { metrics, unready: async () => why })
  const ask = async (path: string) => {
    const answer = await fetch(`${status.url}${path}`)
    return [answer.status, await answer.text()] as const
  }
  expect(await ask('/healthz')).toEqual([200, '{"status":"ok"}'])
  expect((await ask('/readyz'))[0]).toBe(200)
  why = 'redis is away'
  expect(await ask('/readyz')).toEqual([503, '{"status":"unready","why":"redis is away"}'])
  expect((await ask('/metrics'))[1]).toContain('parley_jobs_ended_total{type="audio.prepare",status="succeeded"} 1')
  expect((await ask('/v1/jobs'))[0]).toBe(404)
})
