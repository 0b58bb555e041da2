import { h, setText } from '../widget/dom.ts'
import { MoneyChart } from './chart.ts'
import type { Context, View } from './context.ts'
import { dollars, exactDollars, percent, whole, words } from './format.ts'
import type { Part } from './live-store.ts'
import { loadSpend, type Spend } from './spend-data.ts'
import { button, DataTable, fillText } from './table.ts'
import { Tile } from './tile.ts'
import { type By, type Series, savedOf, tokensOf, type UsageRow } from './usage.ts'

/** While money is being spent the page asks anew at most this often, ms. */
const ASK_EVERY_MS = 10_000

/** What was spent and saved, by day, model and tenant: the sums of `GET /v1/usage`. */
export class SpendView implements View {
  readonly title = 'Spend'
  readonly root: HTMLElement
  readonly #context: Context
  readonly #cost = new MoneyChart('Cost by day', 'Nothing was spent in these days.')
  readonly #saved = new MoneyChart('Saved by day, by what was done', 'Nothing was saved in these days.')
  readonly #tiles = {
    cost: new Tile('Cost'),
    parley: new Tile('Saved by Parley'),
    provider: new Tile('Saved by caches'),
    requests: new Tile('Bookings'),
    tokens: new Tile('Tokens'),
  }
  readonly #table: DataTable<UsageRow>
  readonly #range: HTMLSelectElement
  readonly #by: HTMLSelectElement
  readonly #problem = h('p', { class: 'error', role: 'alert' })
  readonly #heading = h('h2', {}, 'Models')
  #isShown = false
  #isAsking = false
  #asked = ''
  #askedAt = 0
  #spent = -1

  constructor(context: Context) {
    this.#context = context
    this.#range = select('Range', [
      ['7', 'Last 7 days'],
      ['30', 'Last 30 days'],
      ['90', 'Last 90 days'],
    ])
    this.#range.value = '30'
    this.#by = select('Group', [
      ['model', 'By model'],
      ['tenant', 'By tenant'],
    ])
    for (const each of [this.#range, this.#by]) each.addEventListener('change', () => void this.#ask())
    this.#table = this.#makeTable()
    const csv = button('CSV', () => void this.#download(), 'quiet')
    csv.setAttribute('aria-label', 'Download these days as CSV')
    this.root = h(
      'div',
      {},
      h('div', { class: 'toolbar' }, h('h1', {}, 'Spend'), this.#range, this.#by, csv),
      this.#problem,
      h('div', { class: 'tiles' }, ...Object.values(this.#tiles).map(({ root }) => root)),
      h('div', { class: 'charts' }, this.#cost.root, this.#saved.root),
      this.#heading,
      this.#table.root,
    )
  }

  enter(): void {
    this.#isShown = true
    this.#cost.open()
    this.#saved.open()
    void this.#ask()
  }

  leave(): void {
    this.#isShown = false
    this.#cost.close()
    this.#saved.close()
  }

  update(parts: ReadonlySet<Part>): void {
    const spent = this.#context.live.money?.spent_today_nano_usd ?? 0
    const isDue = spent !== this.#spent && this.#context.now() - this.#askedAt > ASK_EVERY_MS
    if (parts.has('tick') && isDue) void this.#ask()
  }

  second(): void {}

  async #ask(): Promise<void> {
    const wanted = `${this.#range.value} ${this.#by.value}`
    this.#asked = wanted
    if (this.#isAsking) return
    this.#isAsking = true
    this.#askedAt = this.#context.now()
    this.#spent = this.#context.live.money?.spent_today_nano_usd ?? 0
    try {
      const by = this.#by.value as By
      const spend = await loadSpend(this.#context.api, this.#context.now(), Number(this.#range.value), by)
      setText(this.#problem, '')
      if (this.#isShown) this.#show(spend, by)
    } catch (error) {
      setText(this.#problem, this.#context.failed(error))
    } finally {
      this.#isAsking = false
    }
    if (this.#asked !== wanted) await this.#ask()
  }

  #show({ days, total, cost, saved, groups }: Spend, by: By): void {
    const row = total
    const parley = row === null ? 0 : savedOf(row, 'parley')
    const provider = row === null ? 0 : savedOf(row, 'provider')
    const spent = row?.cost.nano ?? 0
    const estimated = percent(row?.estimated.nano ?? 0, spent)
    this.#tiles.cost.show(dollars(spent), estimated === 0 ? '' : `${estimated} % of it estimated`, exactDollars(spent))
    this.#tiles.parley.show(dollars(parley), ofWhat(parley, spent), exactDollars(parley))
    this.#tiles.provider.show(dollars(provider), ofWhat(provider, spent), exactDollars(provider))
    this.#tiles.requests.show(whole(row?.requests ?? 0), 'answers, transcriptions, stages of jobs')
    this.#tiles.tokens.show(whole(row === null ? 0 : tokensOf(row)), '')
    this.#cost.show(days, cost)
    this.#saved.show(
      days,
      saved.map((series): Series => ({ ...series, name: words(series.name) })),
    )
    setText(this.#heading, by === 'model' ? 'Models' : 'Tenants')
    this.#table.show(groups)
  }

  #makeTable(): DataTable<UsageRow> {
    const money = (cell: HTMLElement, nano: number) => fillText(cell, exactDollars(nano))
    return new DataTable<UsageRow>({
      caption: 'Cost and savings by model or tenant',
      key: (row) => row.model ?? row.tenant ?? '',
      empty: 'Nothing was booked in these days.',
      pageSize: 25,
      columns: [
        { title: 'Name', isHead: true, order: nameOf, fill: (cell, row) => fillText(cell, nameOf(row)) },
        {
          title: 'Bookings',
          isNumber: true,
          order: (row) => row.requests,
          fill: (cell, row) => fillText(cell, whole(row.requests)),
        },
        { title: 'Tokens', isNumber: true, order: tokensOf, fill: (cell, row) => fillText(cell, whole(tokensOf(row))) },
        {
          title: 'Saved',
          isNumber: true,
          order: (row) => savedOf(row),
          fill: (cell, row) => money(cell, savedOf(row)),
        },
        {
          title: 'Cost',
          isNumber: true,
          order: (row) => row.cost.nano,
          fill: (cell, row) => money(cell, row.cost.nano),
        },
      ],
    })
  }

  async #download(): Promise<void> {
    const days = Number(this.#range.value)
    const now = this.#context.now()
    const from = new Date(now - (days - 1) * 86_400_000).toISOString().slice(0, 10)
    try {
      const blob = await this.#context.api.usageCsv({ from, group_by: `day,${this.#by.value}`, limit: '10000' })
      const link = h('a', { href: URL.createObjectURL(blob), download: 'parley-usage.csv' })
      link.click()
      URL.revokeObjectURL(link.href)
    } catch (error) {
      setText(this.#problem, this.#context.failed(error))
    }
  }
}

const nameOf = (row: UsageRow): string => row.model ?? row.tenant ?? ''

const ofWhat = (saved: number, spent: number): string =>
  saved <= 0 ? '' : `${percent(saved, saved + spent)} % less than it would have cost`

function select(label: string, options: readonly (readonly [string, string])[]): HTMLSelectElement {
  return h('select', { 'aria-label': label }, ...options.map(([value, text]) => h('option', { value }, text)))
}
