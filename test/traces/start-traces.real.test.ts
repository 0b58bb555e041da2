import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { startTraces } from '../../src/traces/start-traces.ts'
import { isTracing, traced } from '../../src/traces/tracer.ts'
import { silent } from '../support/parley.ts'

test('V4 spans go by OTLP where the configuration says, and the last of them before the process ends', async () => {
  await using stack = new AsyncDisposableStack()
  const got: { url: string | undefined; type: string | undefined; key: unknown; body: string }[] = []
  const collector = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { url, headers } = request
    got.push({
      url,
      type: headers['content-type'],
      key: headers['x-key'],
      body: Buffer.concat(parts).toString('latin1'),
    })
    response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end()
  }).listen(0, '127.0.0.1')
  stack.defer(() => void collector.close())
  await once(collector, 'listening')
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`

  await using nowhere = await startTraces(null, systemClock, silent)
  expect(nowhere).toBeDefined()
  expect(isTracing()).toBe(false)
  const traces = await startTraces({ endpoint, headers: { 'x-key': 'k' } }, systemClock, silent)
  expect(isTracing()).toBe(true)
  await traced('what was done', {}, async () => undefined)
  await traces[Symbol.asyncDispose]()
  expect(got).toMatchObject([{ url: '/v1/traces', type: 'application/x-protobuf', key: 'k' }])
  expect(got[0]?.body).toContain('what was done')
  expect(got[0]?.body).toContain('parley')
})
