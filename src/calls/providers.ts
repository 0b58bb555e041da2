import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../clock.ts'
import type { ProviderConfig } from '../config/config.ts'
import type { Ms } from '../units.ts'
import { endpointOf } from './endpoint.ts'
import { HttpMediaProvider } from './http-media-provider.ts'
import type { MediaProvider } from './media-provider.ts'
import { ProviderHttp } from './provider-http.ts'

export interface ProviderDeps {
  readonly clock: Clock
  readonly loopbackSocket: string
  timeout(): Ms
  onHeaders?(provider: string, headers: IncomingHttpHeaders): void
}

/** The providers that have been called, each with its kept connections; one whose settings changed is opened anew. */
export class Providers implements AsyncDisposable {
  readonly #deps: ProviderDeps
  readonly #open = new Map<string, { config: ProviderConfig; http: ProviderHttp; provider: MediaProvider }>()

  constructor(deps: ProviderDeps) {
    this.#deps = deps
  }

  get(name: string, config: ProviderConfig): MediaProvider {
    const held = this.#open.get(name)
    if (held !== undefined && JSON.stringify(held.config) === JSON.stringify(config)) return held.provider
    const { clock, loopbackSocket, timeout, onHeaders } = this.#deps
    const http = new ProviderHttp(endpointOf(config, loopbackSocket), {
      clock,
      timeout,
      ...(onHeaders === undefined ? {} : { onHeaders: (headers) => onHeaders(name, headers) }),
    })
    const maxTokens = config.type === 'openai-compatible' ? 'max_tokens' : 'max_completion_tokens'
    const provider = new HttpMediaProvider(http, { maxTokens })
    this.#open.set(name, { config, http, provider })
    void held?.http.retire()
    return provider
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ http }) => http[Symbol.asyncDispose]()))
    this.#open.clear()
  }
}
