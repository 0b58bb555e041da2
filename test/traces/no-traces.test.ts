import { ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import { tracesFrom } from '../../src/config/traces.ts'
import { traceRequests } from '../../src/http/trace-requests.ts'
import { contextOf, traceHeaders, traceparentOf } from '../../src/traces/traceparent.ts'
import { isTracing, traced } from '../../src/traces/tracer.ts'
import { queueTelemetry } from '../../workers/jobs/queue-telemetry.ts'

describe('where nobody traces', () => {
  test('V4 nothing is put around requests, nothing into queues, nothing into headers', async () => {
    expect(isTracing()).toBe(false)
    expect(queueTelemetry()).toEqual({})
    const listen = () => undefined
    expect(traceRequests(listen)).toBe(listen)
    expect(await traced('work', {}, async () => [traceparentOf(), traceHeaders()])).toEqual([null, {}])
  })

  test('V4 a trace is told where the file or the variables of OpenTelemetry say, and nowhere else', () => {
    const file = { endpoint: 'http://collector:4318', headers: {} }
    const byVariables = { endpoint: null, headers: {} }
    expect(tracesFrom(null, {})).toBeNull()
    expect(tracesFrom(file, {})).toBe(file)
    expect(tracesFrom(null, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' })).toEqual(byVariables)
    expect(tracesFrom(null, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://x' })).toEqual(byVariables)
    expect(tracesFrom(null, { OTEL_TRACES_EXPORTER: 'otlp' })).toEqual(byVariables)
    expect(tracesFrom(file, { OTEL_SDK_DISABLED: 'true' })).toBeNull()
    expect(tracesFrom(file, { OTEL_TRACES_EXPORTER: 'none' })).toBeNull()
  })
})

describe('a traceparent', () => {
  const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

  test('V4 comes out as it went in', () => {
    expect(traceparentOf(contextOf(good))).toBe(good)
    expect(trace.getSpanContext(contextOf(good))).toMatchObject({ isRemote: true, traceFlags: 1 })
  })

  test.each([
    null,
    '',
    'x',
    good.toUpperCase(),
    `${good}-more`,
    good.replace('00-', 'ff-'),
    `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`,
  ])('V4 that is none (%s) leads nowhere', (text) => expect(contextOf(text)).toBe(ROOT_CONTEXT))
})
