import type { Config, ModelConfig, ProviderConfig } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import { findPrice } from '../meter/find-price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { sellersOf } from '../meter/sellers.ts'
import type { Instant } from '../units.ts'

/** One place where a model is bought. */
export interface Target {
  readonly provider: string
  readonly config: ProviderConfig
  /** The provider's own name of the model. */
  readonly model: string
  readonly row: PriceRow
}

/**
 * Where a model for media is bought, in the order in which it is tried. Throws `model_not_found` for a model that is not
 * served, is of another kind, or is not part of the tenant's plan; `model_not_priced` where any of its places has no price
 * (M2). `tenant` null: the operator, who may ask about any.
 */
export function targetsOf(
  config: Config,
  tenant: string | null,
  model: string,
  kind: ModelConfig['kind'],
  at: Instant,
): Target[] {
  const served = config.models.get(model)
  const plan = config.plans.get(config.tenants.get(tenant ?? '')?.plan ?? 'default')
  const isAllowed = tenant === null || (plan !== undefined && (plan.models === null || plan.models.includes(model)))
  if (served === undefined || served.kind !== kind || !isAllowed) {
    throw new FaultError('model_not_found', `The model '${model.slice(0, 128)}' does not exist here.`, {
      param: 'model',
    })
  }
  return served.targets.flatMap((target) => {
    const provider = config.providers.get(target.provider)
    if (provider === undefined) return []
    const offer = { sellers: sellersOf(target.provider, provider.type), names: [target.model, model], kind }
    const row = findPrice(config.prices.sheet, offer, config.prices.unknownModels, at)
    if (row === null) {
      throw new FaultError('model_not_priced', `No price is known for the model '${model}'.`, { param: 'model' })
    }
    return [{ provider: target.provider, config: provider, model: target.model, row }]
  })
}

/**
 * The model that is asked where the answer of another is not sure enough. `asked`: what the caller says; undefined for what
 * the policy file says.
 */
export function escalationOf(config: Config, model: string, asked: string | null | undefined): string | null {
  if (asked !== undefined) return asked
  return config.media.calls.escalations[model] ?? null
}
