import type { ProviderConfig } from '../config/config.ts'

/** Where a provider takes requests over HTTP. */
export interface Endpoint {
  /** `https://…/v1`, without a slash at its end. */
  readonly base: string
  readonly headers: Readonly<Record<string, string>>
  /** A unix socket in place of a host. */
  readonly socketPath: string | null
  /** Whether it is told which trace a request belongs to. */
  readonly isTold: boolean
}

/**
 * The HTTP address of a provider, beside its realtime door (upstream/provider.ts). Never carries a caller's own headers.
 * `loopbackSocket`: path of the unix socket of the loopback provider.
 */
export function endpointOf(provider: ProviderConfig, loopbackSocket: string): Endpoint {
  switch (provider.type) {
    case 'openai': {
      const headers: Record<string, string> = { authorization: `Bearer ${provider.apiKey}` }
      if (provider.organization !== undefined) headers['openai-organization'] = provider.organization
      if (provider.project !== undefined) headers['openai-project'] = provider.project
      return { base: httpBase(provider.baseUrl), headers, socketPath: null, isTold: false }
    }
    case 'azure': {
      const base = provider.endpoint.replace(/\/+$/, '').replace(/\/openai(\/v1)?$/, '')
      return { base: `${base}/openai/v1`, headers: { 'api-key': provider.apiKey }, socketPath: null, isTold: false }
    }
    case 'openai-compatible': {
      const headers: Record<string, string> =
        provider.apiKey === undefined ? {} : { authorization: `Bearer ${provider.apiKey}` }
      return { base: httpBase(provider.baseUrl), headers, socketPath: null, isTold: provider.traceparent === true }
    }
    case 'loopback':
      return {
        base: 'http://loopback/v1',
        headers: { authorization: 'Bearer loopback' },
        socketPath: loopbackSocket,
        isTold: false,
      }
  }
}

/** `ws` becomes `http`; `/v1` is added to a bare host and `/realtime` taken off, so that one base serves both doors. */
export function httpBase(baseUrl: string): string {
  const url = new URL(baseUrl)
  const protocol = url.protocol === 'http:' || url.protocol === 'ws:' ? 'http:' : 'https:'
  const path = url.pathname.replace(/\/+$/, '').replace(/\/realtime$/, '')
  return `${protocol}//${url.host}${path === '' ? '/v1' : path}`
}
