import type { Config, ProviderConfig } from '../config/config.ts'
import { type Listener, pieceLimits } from '../media/audio/piece-limits.ts'
import type { AudioPrepareOptions } from '../media/job-request.ts'
import type { PrepareAudio } from '../media/prepared-audio.ts'
import { ms } from '../units.ts'

/** How a recording is to be prepared for whoever may hear it: the model's limits, its fallbacks' too, and the caller's wish. */
export function soundWish(options: AudioPrepareOptions, config: Config): PrepareAudio {
  const { trim_silence: trim, segment, model } = options
  const longest = segment.max_ms === undefined ? undefined : ms(segment.max_ms)
  const all = listenersOf(config, model).map((listener) => pieceLimits(listener, longest))
  const takesFlac = all.every(({ formats }) => formats.includes('flac'))
  return {
    trim: trim.enabled,
    minGap: ms(trim.min_gap_ms),
    padding: ms(trim.padding_ms),
    engine: trim.engine,
    format: segment.format === 'auto' && !takesFlac ? 'opus' : segment.format,
    limits: {
      duration: ms(Math.min(...all.map(({ duration }) => duration))),
      bytes: Math.min(...all.map(({ bytes }) => bytes)),
      // Of the one that is asked first: another is the exception.
      billedAtLeast: all[0]?.billedAtLeast ?? ms(0),
    },
    longest: config.media.tools.longestAudio,
  }
}

/** Where the model is bought. One that is not served here is judged by its name alone. */
function listenersOf({ models, providers }: Config, model: string | undefined): Listener[] {
  const served = model === undefined ? undefined : models.get(model)
  if (served === undefined) return [{ type: 'openai', host: null, model: model ?? '' }]
  return served.targets.map((target) => {
    const provider = providers.get(target.provider)
    return { type: provider?.type ?? 'openai', host: hostOf(provider), model: target.model }
  })
}

function hostOf(provider: ProviderConfig | undefined): string | null {
  if (provider === undefined || !('baseUrl' in provider)) return null
  return URL.parse(provider.baseUrl)?.hostname ?? null
}
