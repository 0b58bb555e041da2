import { context, DiagLogLevel, diag, propagation, trace } from '@opentelemetry/api'
import type { Clock } from '../clock.ts'
import type { TracesConfig } from '../config/config.ts'
import type { Log } from '../log.ts'
import { later, ms } from '../units.ts'
import { isTracing } from './tracer.ts'

/** How long the end of a process waits for its last spans to be taken. */
const LAST_SPANS = ms(3_000)

/**
 * Sends spans where the configuration says, by OpenTelemetry's own SDK. What it reads of the environment itself: headers,
 * time-outs and certificates of the exporter, the sampler, sizes of batches, the service's name. Whoever has registered an SDK
 * before, by `--import`, keeps it. Throws a plain sentence where the SDK is not installed.
 */
export async function startTraces(traces: TracesConfig | null, clock: Clock, log: Log): Promise<AsyncDisposable> {
  if (traces === null || isTracing()) return { [Symbol.asyncDispose]: async () => undefined }
  const sdk = await loadSdk()
  // Its own words may hold an address, never a header or a span.
  const warn = (message: string) => log.warn({ why: message.slice(0, 200) }, 'spans could not be sent')
  const ignore = () => undefined
  diag.setLogger({ error: warn, warn, info: ignore, debug: ignore, verbose: ignore }, { logLevel: DiagLogLevel.WARN })
  const { endpoint, headers } = traces
  const url = endpoint === null ? {} : { url: `${endpoint.replace(/\/+$/, '')}/v1/traces` }
  const exporter = new sdk.OTLPTraceExporter({ ...url, headers: { ...headers } })
  const known = sdk.detectResources({ detectors: [sdk.envDetector, sdk.serviceInstanceIdDetector] })
  const provider = new sdk.BasicTracerProvider({
    resource: sdk.resourceFromAttributes({ 'service.name': 'parley' }).merge(known),
    spanProcessors: [new sdk.BatchSpanProcessor(exporter)],
  })
  context.setGlobalContextManager(new sdk.AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new sdk.W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  return {
    // A collector that is away must not keep a process from ending.
    [Symbol.asyncDispose]: async () => {
      const late = Promise.withResolvers<void>()
      using _alarm = clock.at(later(clock.now(), LAST_SPANS), () => late.resolve())
      await Promise.race([provider.shutdown().catch(warn), late.promise])
    },
  }
}

/** Loaded by those who want traces only. */
async function loadSdk() {
  try {
    const [hooks, core, exporter, resources, base] = await Promise.all([
      import('@opentelemetry/context-async-hooks'),
      import('@opentelemetry/core'),
      import('@opentelemetry/exporter-trace-otlp-proto'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/sdk-trace-base'),
    ])
    return { ...hooks, ...core, ...exporter, ...resources, ...base }
  } catch (cause) {
    throw new Error(
      'traces are asked for, and the OpenTelemetry SDK is not installed: npm install --include=optional',
      {
        cause,
      },
    )
  }
}
