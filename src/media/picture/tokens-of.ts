import type { Instant } from '../../units.ts'
import type { PictureTarget } from '../picture-target.ts'
import { count } from './count.ts'
import type { Count } from './rule.ts'
import { type ModelRules, type NamedRule, rulesOf } from './rule-table.ts'

export interface PictureTokens extends Count {
  /** Name of the rule in rules.json. */
  readonly rule: string
  /** Whether a page or a bill says that this model counts so; false for a guess, which is not a low one. */
  readonly known: boolean
}

/**
 * What one picture costs, in the tokens of the model it is sent to, at an instant. Sides are whole px after orientation (a
 * quarter turn changes nothing). `detail` is what would be sent: `auto` where a caller says nothing.
 */
export function tokensOf(target: PictureTarget, width: number, height: number, at: Instant): PictureTokens {
  const rules = rulesOf(target.provider, target.model, at)
  const { name, rule } = ruleFor(rules, target)
  return { ...count(rule, { width, height }), rule: name, known: rules.known }
}

/** The rule of the detail asked for; of `auto` where the model does not tell it apart. */
export function ruleFor(rules: ModelRules, { detail }: Pick<PictureTarget, 'detail'>): NamedRule {
  return rules.byDetail.get(detail) ?? (rules.byDetail.get('auto') as NamedRule)
}
