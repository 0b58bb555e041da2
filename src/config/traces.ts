import type { TracesConfig } from './config.ts'
import type { Env } from './read-config.ts'

/** Whether and where spans are sent: the file's own word, else OpenTelemetry's variables, which can also forbid it. */
export function tracesFrom(written: TracesConfig | null, env: Env): TracesConfig | null {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none') return null
  if (written !== null) return written
  const where = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT
  return where === undefined && env.OTEL_TRACES_EXPORTER !== 'otlp' ? null : { endpoint: null, headers: {} }
}
