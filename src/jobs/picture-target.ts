import type { Config } from '../config/config.ts'
import type { PictureTarget } from '../media/picture-target.ts'

/** Makers of models by the beginnings of their names, for models that this installation does not buy from. */
const MAKERS = [
  ['claude', 'anthropic'],
  ['gemini', 'google'],
  ['grok', 'xai'],
] as const

/** Whose rule counts the pictures: of a model that is served, that of its first place; else of the model so named. */
export function pictureTarget(
  { models, providers, media }: Config,
  options: { readonly model?: string | undefined; readonly detail: PictureTarget['detail'] },
): PictureTarget {
  const { detail } = options
  const name = options.model ?? media.models.vision ?? firstOf(models) ?? 'gpt-4o'
  const target = models.get(name)?.targets[0]
  if (target === undefined) return { provider: makerOf(name), model: name, detail }
  const type = providers.get(target.provider)?.type
  // Gateways pass models of many makers on.
  const provider = type === 'openai-compatible' ? makerOf(target.model) : 'openai'
  return { provider, model: target.model, detail }
}

const firstOf = (models: Config['models']) => [...models].find(([, { kind }]) => kind === 'vision')?.[0]

const makerOf = (model: string) => MAKERS.find(([start]) => model.toLowerCase().includes(start))?.[1] ?? 'openai'
