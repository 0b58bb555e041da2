import type { ProviderConfig } from '../config/config.ts'
import { traceHeaders } from '../traces/traceparent.ts'
import type { CallSpec } from './call-spec.ts'

/** Where and how one provider is dialled for one call. */
export interface DialTarget {
  /** `ws:`, `wss:` or `ws+unix:` URL with its query. */
  url: string
  headers: Record<string, string>
}

/**
 * The address of a provider's realtime door. Never carries the caller's own headers, and never `OpenAI-Beta`, which the GA
 * endpoint refuses. `loopbackSocket`: path of the unix socket of the loopback provider.
 */
export function dialTarget(provider: ProviderConfig, call: CallSpec, loopbackSocket: string): DialTarget {
  const query = call.kind === 'transcription' ? 'intent=transcription' : `model=${encodeURIComponent(call.model ?? '')}`
  switch (provider.type) {
    case 'openai': {
      const headers: Record<string, string> = { Authorization: `Bearer ${provider.apiKey}` }
      if (provider.organization !== undefined) headers['OpenAI-Organization'] = provider.organization
      if (provider.project !== undefined) headers['OpenAI-Project'] = provider.project
      if (call.safetyIdentifier !== undefined) headers['OpenAI-Safety-Identifier'] = call.safetyIdentifier
      return { url: `${realtimeUrl(provider.baseUrl)}?${query}`, headers }
    }
    case 'azure': {
      const base = provider.endpoint.replace(/\/+$/, '').replace(/\/openai(\/v1)?$/, '')
      return { url: `${realtimeUrl(`${base}/openai/v1`)}?${query}`, headers: { 'api-key': provider.apiKey } }
    }
    case 'openai-compatible': {
      const headers: Record<string, string> = provider.traceparent === true ? traceHeaders() : {}
      if (provider.apiKey !== undefined) headers.Authorization = `Bearer ${provider.apiKey}`
      return { url: `${realtimeUrl(provider.baseUrl)}?${query}`, headers }
    }
    case 'loopback':
      return { url: `ws+unix:${loopbackSocket}:/v1/realtime?${query}`, headers: { Authorization: 'Bearer loopback' } }
  }
}

/** `http` becomes `ws`; `/v1` is added to a bare host and `/realtime` where it is missing, as OpenAI's clients do. */
export function realtimeUrl(baseUrl: string): string {
  const url = new URL(baseUrl)
  url.protocol = url.protocol === 'http:' || url.protocol === 'ws:' ? 'ws:' : 'wss:'
  let path = url.pathname.replace(/\/+$/, '')
  if (path === '') path = '/v1'
  if (!path.endsWith('/realtime')) path += '/realtime'
  return `${url.protocol}//${url.host}${path}`
}
