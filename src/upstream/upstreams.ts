import { SpanKind } from '@opentelemetry/api'
import type { Clock } from '../clock.ts'
import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import type { Log } from '../log.ts'
import { callAttributes } from '../traces/gen-ai.ts'
import { traced } from '../traces/tracer.ts'
import type { CallSpec } from './call-spec.ts'
import { type Answered, DialFailure, dial } from './dial.ts'
import { dialTarget } from './provider.ts'

/** What was reached. */
export interface Reached extends Answered {
  provider: string
  model: string
}

/** Opens calls at whichever provider a model names, its fallbacks included. */
export class Upstreams {
  readonly #clock: Clock
  readonly #log: Log
  readonly #loopbackSocket: string
  readonly #random: () => number

  constructor(clock: Clock, log: Log, loopbackSocket: string, random: () => number = Math.random) {
    this.#clock = clock
    this.#log = log
    this.#loopbackSocket = loopbackSocket
    this.#random = random
  }

  /**
   * Tries a model's targets in order. Rejects with FaultError `model_not_found` for a model that is not configured, and
   * `upstream_unavailable` when none could be reached; aborting hangs up at once.
   */
  async open(config: Config, model: string, kind: CallSpec['kind'], signal: AbortSignal): Promise<Reached> {
    const served = config.models.get(model)
    if (served === undefined) throw new FaultError('model_not_found', `The model '${model}' does not exist here.`)
    for (const target of served.targets) {
      const provider = config.providers.get(target.provider)
      if (provider === undefined) continue
      try {
        const { type } = provider
        const attributes = callAttributes('generate_content', model, { ...target, type })
        const answered = await traced(`connect ${model}`, { kind: SpanKind.CLIENT, attributes }, () => {
          const where = dialTarget(provider, { kind, model: target.model }, this.#loopbackSocket)
          return dial(where, provider.dial, this.#clock, this.#random, signal)
        })
        return { ...answered, provider: target.provider, model: target.model }
      } catch (error) {
        if (!(error instanceof DialFailure)) throw error
        this.#log.warn({ provider: target.provider, model: target.model, why: error.message }, 'provider not reached')
      }
    }
    throw new FaultError('upstream_unavailable', 'The model provider could not be reached.', { retryAfterMs: 5_000 })
  }
}
