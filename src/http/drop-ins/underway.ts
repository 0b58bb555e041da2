import type { IncomingMessage, ServerResponse } from 'node:http'
import { COMPLETION_PATHS } from './completions.ts'
import { TRANSCRIPTION_PATHS } from './transcriptions.ts'

const PATHS: ReadonlySet<string> = new Set([...TRANSCRIPTION_PATHS, ...Object.keys(COMPLETION_PATHS)])

/** Requests of the drop-ins that have not been answered to their end: a node that drains lets them finish. */
export class Underway {
  readonly #open = new Set<ServerResponse>()
  #idle: PromiseWithResolvers<void> | null = null

  watch(request: IncomingMessage, response: ServerResponse): void {
    const [path = ''] = (request.url ?? '').split('?', 1)
    if (!PATHS.has(path)) return
    this.#open.add(response)
    response.once('close', () => {
      this.#open.delete(response)
      if (this.#open.size === 0) this.#idle?.resolve()
    })
  }

  /** Resolves once none is under way. */
  async idle(): Promise<void> {
    if (this.#open.size === 0) return
    this.#idle ??= Promise.withResolvers<void>()
    await this.#idle.promise
  }
}
