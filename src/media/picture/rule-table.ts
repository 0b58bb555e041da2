import { z } from 'zod'
import { type Instant, instant } from '../../units.ts'
import { PictureRule } from './rule.ts'
import written from './rules.json' with { type: 'json' }

const DETAILS = ['auto', 'low', 'high', 'original'] as const
export type Detail = (typeof DETAILS)[number]

const day = z.iso.date().transform((text) => instant(Date.parse(`${text}T00:00:00Z`)))
const name = z.string().regex(/^\*?[a-z0-9.-]+\*?$/, 'a model, or its beginning or end with *')
const sourced = { source: z.string().min(1), sourceDate: z.string().min(4), note: z.string().optional() }

const ModelRow = z.strictObject({
  provider: z.string().min(1),
  models: z.array(name).min(1),
  /** Names of rules by `detail`; `auto` stands in for those left out. */
  rules: z.strictObject({
    auto: z.string(),
    low: z.string().optional(),
    high: z.string().optional(),
    original: z.string().optional(),
  }),
  validFrom: day.optional(),
  validTo: day.optional(),
  confidence: z.enum(['docs', 'measured', 'conflicting', 'unknown']),
  ...sourced,
})
type ModelRow = z.infer<typeof ModelRow>

const ProviderRow = z.strictObject({
  formats: z.array(z.enum(['jpeg', 'png', 'webp'])).min(1),
  /** Above it a request is refused, px. */
  maxSide: z.int().min(1).optional(),
  maxBytes: z.int().min(1).optional(),
  /** Values of `detail` that it understands; none where it has no such thing. */
  details: z.array(z.enum(DETAILS)),
  ...sourced,
})
export type ProviderRow = z.infer<typeof ProviderRow>

const Table = z
  .strictObject({
    compiled: z.iso.date(),
    note: z.string(),
    /** For models that no row names: the one that counts the most pixels, so that an estimate is not too low. */
    unknown: z.string(),
    rules: z.record(z.string(), PictureRule),
    models: z.array(ModelRow),
    providers: z.record(z.string(), ProviderRow).refine((rows) => '*' in rows, 'needs a row * for all others'),
  })
  .superRefine((table, context) => {
    const named = [table.unknown, ...table.models.flatMap((row) => Object.values(row.rules))]
    for (const rule of named)
      if (rule !== undefined && !(rule in table.rules)) context.addIssue(`there is no rule ${rule}`)
  })

const table = Table.parse(written)

/** One rule and what it is called. */
export interface NamedRule {
  readonly name: string
  readonly rule: PictureRule
}

/** How a model counts pictures on a day. */
export interface ModelRules {
  /** Every `detail` that the model tells apart, `auto` always among them. */
  readonly byDetail: ReadonlyMap<Detail, NamedRule>
  /** Whether a page or a bill says so; false for guesses. */
  readonly known: boolean
}

/** A set of parameters by its name in rules.json. Throws RangeError for a name that is not there. */
export function ruleNamed(name: string): NamedRule {
  const rule = table.rules[name]
  if (rule === undefined) throw new RangeError(`there is no rule ${name}`)
  return { name, rule }
}

export const RULE_NAMES: readonly string[] = Object.keys(table.rules)

/** What is known of a provider, and what all of them take for one that is not. */
export function providerNamed(provider: string): ProviderRow {
  return table.providers[provider] ?? (table.providers['*'] as ProviderRow)
}

/**
 * How `model` counts at an instant. A provider without rows of its own resells others' models, so the name alone is looked
 * up then; `vendor/model`, dated snapshots and `-latest` are the model itself.
 */
export function rulesOf(provider: string, model: string, at: Instant): ModelRules {
  const names = namesOf(model)
  const valid = table.models.filter((row) => (row.validFrom ?? at) <= at && (row.validTo ?? Infinity) > at)
  const row =
    best(
      valid.filter((r) => r.provider === provider),
      names,
    ) ?? best(valid, names)
  if (row === null) return { byDetail: new Map([['auto', ruleNamed(table.unknown)]]), known: false }
  const byDetail = new Map<Detail, NamedRule>()
  for (const detail of DETAILS) {
    const rule = row.rules[detail]
    if (rule !== undefined) byDetail.set(detail, ruleNamed(rule))
  }
  return { byDetail, known: row.confidence !== 'unknown' }
}

const SNAPSHOT = /-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$/

function namesOf(model: string): readonly string[] {
  const bare = model.toLowerCase().slice(model.lastIndexOf('/') + 1)
  return [...new Set([bare, bare.replace(SNAPSHOT, '')])]
}

/** The row whose written name fits the model best: the longest, a whole name before a pattern. */
function best(rows: readonly ModelRow[], names: readonly string[]): ModelRow | null {
  let found: ModelRow | null = null
  let most = 0
  for (const row of rows) {
    for (const written of row.models) {
      const weight = names.some((name) => fits(written, name))
        ? written.length + (written.includes('*') ? 0 : 1_000)
        : 0
      if (weight > most) {
        most = weight
        found = row
      }
    }
  }
  return found
}

function fits(written: string, name: string): boolean {
  const isOpenBefore = written.startsWith('*')
  const isOpenAfter = written.endsWith('*')
  const core = written.slice(isOpenBefore ? 1 : 0, isOpenAfter ? -1 : undefined)
  if (isOpenBefore && isOpenAfter) return name.includes(core)
  if (isOpenBefore) return name.endsWith(core)
  if (isOpenAfter) return name.startsWith(core)
  return name === core
}
