import { openSync, writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { problemOf } from '../../src/http/media/problem.ts'
import { Metrics } from '../../src/metrics.ts'
import { silent } from '../support/parley.ts'

/** What the system says when a disk is full. */
function write(): never {
  writeSync(openSync('/dev/full', 'w'), 'x')
  throw new Error('it was to be full')
}

test('Q1 a disk that fills up under a request is told by its name at both doors, with the wait', async () => {
  const app = createApp({ log: silent, metrics: new Metrics(), unready: async () => null })
  app.get('/fills', write)
  const answer = await app.request('/fills')
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([507, '60'])
  expect(await answer.json()).toMatchObject({ error: { code: 'storage_full', type: 'server_error' } })

  let thrown: unknown
  try {
    write()
  } catch (error) {
    thrown = error
  }
  expect(problemOf(thrown, '/v1/files', 'req_1')).toMatchObject({ status: 507, code: 'storage_full', retryable: true })
})
