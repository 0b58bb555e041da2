import { z } from 'zod'
import type { Instant } from '../units.ts'
import { type PriceRow, type Rate, RowFile, toRow } from './price-row.ts'
import base from './price-sheet.json' with { type: 'json' }

/** One thing wrong with a price sheet. */
export interface PriceProblem {
  /** Which file and where in it: `override.rows[3].prices.audioIn`. */
  readonly path: string
  readonly message: string
}

/** Every problem of the price sheets at once. */
export class PriceSheetError extends Error {
  override readonly name = 'PriceSheetError'
  readonly problems: readonly PriceProblem[]
  constructor(problems: readonly PriceProblem[]) {
    super(
      `the price sheet has ${problems.length} problem(s):\n${problems.map((p) => `  ${p.path}: ${p.message}`).join('\n')}`,
    )
    this.problems = problems
  }
}

const SheetFile = z.strictObject({
  version: z.literal(1),
  currency: z.literal('USD').default('USD'),
  compiled: z.string().optional(),
  note: z.string().optional(),
  rows: z.array(z.unknown()),
})

/** The prices that come with Parley. */
export const BASE_SHEET: unknown = base

/** A dated snapshot of a model is sold at the model's price, unless a row names the snapshot itself. */
const SNAPSHOT = /-\d{4}-\d{2}-\d{2}$/
/** The provider that costs nothing and plays the models of this one. */
const LOOPBACK = 'loopback'
const PLAYED = 'openai'
/** A row for every model of a provider that no other row names. */
const ANY_MODEL = '*'

export class PriceSheet {
  readonly rows: readonly PriceRow[]
  /** Rows by `provider/name`, best first: the operator's before ours, then the one whose price began last. */
  readonly #byName = new Map<string, PriceRow[]>()

  private constructor(rows: readonly PriceRow[], operators: ReadonlySet<PriceRow>) {
    this.rows = rows
    const best = rows.toSorted(
      (a, b) => Number(operators.has(b)) - Number(operators.has(a)) || begin(b.validFrom) - begin(a.validFrom) || 0,
    )
    for (const row of best) {
      for (const name of namesOf(row)) {
        const held = this.#byName.get(name)
        if (held === undefined) this.#byName.set(name, [row])
        else held.push(row)
      }
    }
  }

  /**
   * A sheet from parsed JSON or YAML. A row of `override` replaces the one with the same id, and goes before every other
   * row of its model while it is valid. Throws PriceSheetError with every problem of both files.
   */
  static load(sheet: unknown = BASE_SHEET, override?: unknown): PriceSheet {
    const problems: PriceProblem[] = []
    const ours = readRows(sheet, 'base', problems)
    const theirs = override === undefined ? [] : readRows(override, 'override', problems)
    if (problems.length > 0) throw new PriceSheetError(problems)
    const replaced = new Set(theirs.map((row) => row.id))
    return new PriceSheet([...ours.filter((row) => !replaced.has(row.id)), ...theirs], new Set(theirs))
  }

  /**
   * The row that prices `model` at an instant; null when its price is not known. `model` may be an alias or a dated
   * snapshot. Without `region` a price that holds everywhere is preferred to that of the region listed first; a region
   * that has no row falls back on the price that holds everywhere, never on another region's.
   *
   * `loopback` is priced as the model of OpenAI that it plays, so that a demo shows what the same talk would cost there;
   * models OpenAI does not have take the row `loopback/*`.
   */
  priceFor(provider: string, model: string, at: Instant, region: string | null = null): PriceRow | null {
    const own = this.#find(provider, model, at, region)
    if (own !== null || provider !== LOOPBACK) return own ?? this.#find(provider, ANY_MODEL, at, region)
    return this.#find(PLAYED, model, at, null) ?? this.#find(LOOPBACK, ANY_MODEL, at, null)
  }

  /**
   * Every row, of whatever time and region, by which the first of these sellers that has any sells the first of these
   * names that it knows.
   */
  rowsFor(sellers: readonly string[], names: readonly string[]): readonly PriceRow[] {
    const named = (provider: string, model: string): readonly PriceRow[] =>
      this.#byName.get(`${provider}/${model}`) ?? this.#byName.get(`${provider}/${model.replace(SNAPSHOT, '')}`) ?? []
    for (const seller of sellers) {
      const played = seller === LOOPBACK ? [PLAYED] : []
      for (const name of names) {
        for (const provider of [seller, ...played]) {
          const rows = named(provider, name)
          if (rows.length > 0) return rows
        }
        const any = named(seller, ANY_MODEL)
        if (any.length > 0) return any
      }
    }
    return []
  }

  #find(provider: string, model: string, at: Instant, region: string | null): PriceRow | null {
    const names = SNAPSHOT.test(model) ? [model, model.replace(SNAPSHOT, '')] : [model]
    for (const name of names) {
      const valid = (this.#byName.get(`${provider}/${name}`) ?? []).filter((row) => isValid(row, at))
      const row =
        valid.find((r) => r.region === region) ??
        valid.find((r) => r.region === null) ??
        (region === null ? valid[0] : undefined)
      if (row !== undefined) return row
    }
    return null
  }
}

const begin = (from: Instant | null): number => from ?? Number.MIN_SAFE_INTEGER
const isValid = (row: PriceRow, at: Instant): boolean =>
  begin(row.validFrom) <= at && (row.validTo === null || at < row.validTo)
const namesOf = (row: PriceRow): string[] => [row.model, ...row.aliases].map((name) => `${row.provider}/${name}`)

function readRows(sheet: unknown, file: string, problems: PriceProblem[]): PriceRow[] {
  const parsed = SheetFile.safeParse(sheet)
  if (!parsed.success) {
    problems.push(...parsed.error.issues.map((issue) => problem([file, ...issue.path], issue)))
    return []
  }
  const rows: PriceRow[] = []
  const seen = new Set<string>()
  const sameTime = new Map<string, string>()
  const models = new Map<string, string>()
  parsed.data.rows.forEach((raw, i) => {
    const at = `${file}.rows[${i}]`
    const result = RowFile.safeParse(raw)
    if (!result.success) {
      problems.push(...result.error.issues.map((issue) => problem([file, 'rows', i, ...issue.path], issue)))
      return
    }
    const row = toRow(result.data)
    const wrong = (path: string, message: string) => problems.push({ path: `${at}.${path}`, message })
    if (seen.has(row.id)) wrong('id', `there is another row '${row.id}'`)
    seen.add(row.id)
    relations(row, wrong)
    const when = `${row.provider}/${row.model} ${row.region} ${row.validFrom}`
    const twin = sameTime.get(when)
    if (twin !== undefined) wrong('validFrom', `the price of row '${twin}' begins at the same time`)
    sameTime.set(when, row.id)
    for (const name of namesOf(row)) {
      const other = models.get(name)
      if (other !== undefined && other !== row.model) wrong('aliases', `${name} is also a name of the model '${other}'`)
      models.set(name, row.model)
    }
    rows.push(row)
  })
  return rows
}

const CACHED = [
  ['textCachedIn', 'textIn'],
  ['audioCachedIn', 'audioIn'],
  ['imageCachedIn', 'imageIn'],
] as const

/** What the shape alone cannot say. */
function relations(row: PriceRow, wrong: (path: string, message: string) => void): void {
  const { prices, validFrom, validTo, contextIn, maxOut } = row
  if (Object.keys(prices).length === 0) wrong('prices', 'a row needs a price: a model is never free by omission')
  for (const [cached, full] of CACHED) {
    const price = prices[cached]
    if (price === undefined) continue
    if (prices[full] === undefined) wrong(`prices.${cached}`, `needs ${full} beside it`)
    else if (isDearer(price, prices[full])) wrong(`prices.${cached}`, `must not be above ${full}`)
  }
  if (prices.standbyTime !== undefined && prices.sessionTime === undefined)
    wrong('prices.standbyTime', 'needs sessionTime beside it')
  if (validFrom !== null && validTo !== null && validTo <= validFrom) wrong('validTo', 'must be after validFrom')
  if (contextIn !== null && maxOut !== null && maxOut >= contextIn) wrong('maxOut', 'must be below contextIn')
}

const isDearer = (a: Rate, b: Rate): boolean => BigInt(a.pico) * BigInt(b.per) > BigInt(b.pico) * BigInt(a.per)

function problem(path: readonly PropertyKey[], issue: z.core.$ZodIssue): PriceProblem {
  const keys = issue.code === 'unrecognized_keys' ? ` (${issue.keys.join(', ')})` : ''
  const text = path
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`))
    .join('')
  return { path: text, message: `${issue.message}${keys}` }
}
