import { h, setText } from '../widget/dom.ts'
import type { MoneyNow } from '../wire/console.ts'
import { MoneyChart } from './chart.ts'
import type { Context, View } from './context.ts'
import { ago, dollars, percent, whole } from './format.ts'
import { type Part, summed } from './live-store.ts'
import { bucketLong, Meter } from './meter.ts'
import { ObjectiveCard } from './objective-card.ts'
import { Tile } from './tile.ts'
import { daysUntil, type Series, savedOf, type UsageRow } from './usage.ts'

const DAYS = 14
/** While money is being spent the chart asks anew at most this often, ms. */
const ASK_EVERY_MS = 10_000
const MOST_BUDGETS = 8

/** What is running, what it costs and what was saved, at a glance. */
export class OverviewView implements View {
  readonly title = 'Overview'
  readonly root: HTMLElement
  readonly #context: Context
  readonly #tiles = {
    sessions: new Tile('Live sessions', '#sessions'),
    spent: new Tile('Spent today', '#spend'),
    saved: new Tile(`Saved in ${DAYS} days`, '#spend'),
    jobs: new Tile('Jobs waiting', '#jobs'),
    throttled: new Tile('Throttled and refused', '#nodes'),
    nodes: new Tile('Nodes', '#nodes'),
  }
  readonly #chart = new MoneyChart(`Cost and savings, last ${DAYS} days`, 'Nothing has been spent yet.')
  readonly #objective = new ObjectiveCard()
  readonly #budgets = h('div', { class: 'buckets' })
  readonly #noBudgets = h('p', { class: 'empty' }, 'No tenant has a limit of tokens or money.')
  readonly #problem = h('p', { class: 'error', role: 'alert' })
  #isShown = false
  #isAsking = false
  #askedAt = 0
  #spent = -1

  constructor(context: Context) {
    this.#context = context
    this.root = h(
      'div',
      {},
      h('div', { class: 'toolbar' }, h('h1', {}, 'Overview')),
      h('div', { class: 'tiles' }, ...Object.values(this.#tiles).map(({ root }) => root)),
      this.#problem,
      h(
        'div',
        { class: 'halves' },
        this.#chart.root,
        h(
          'div',
          { class: 'column' },
          this.#objective.root,
          h(
            'section',
            { class: 'card', 'aria-label': 'Budgets' },
            h('h2', {}, 'Nearest to their limits'),
            this.#budgets,
            this.#noBudgets,
          ),
        ),
      ),
    )
  }

  enter(): void {
    this.#isShown = true
    this.#chart.open()
    this.#showAll()
    void this.#ask()
  }

  leave(): void {
    this.#isShown = false
    this.#chart.close()
  }

  update(parts: ReadonlySet<Part>): void {
    this.#showAll()
    const spent = this.#context.live.money?.spent_today_nano_usd ?? 0
    const isDue = spent !== this.#spent && this.#context.now() - this.#askedAt > ASK_EVERY_MS
    if (parts.has('tick') && isDue) void this.#ask()
  }

  second(): void {}

  #showAll(): void {
    const { live, now } = this.#context
    const rows = [...live.sessions.values()]
    const speaking = rows.filter(
      ({ activity }) => activity === 'caller_speaking' || activity === 'answering' || activity === 'playing',
    )
    const away = rows.filter(({ phase }) => phase === 'parked')
    const unlisted = live.nodes.reduce((sum, node) => sum + node.unlisted, 0)
    const cost = rows.reduce((sum, { usage }) => sum + usage.cost_nano_usd, 0)
    this.#tiles.sessions.show(
      whole(rows.length + unlisted),
      rows.length === 0 ? 'nobody is here' : `${speaking.length} talking, ${away.length} away, ${dollars(cost)} so far`,
    )
    this.#showMoney(live.money)
    const { jobs } = live
    if (jobs !== null) {
      const oldest =
        jobs.oldest_waiting_at === null ? '' : `, the oldest asked for ${ago(now() - jobs.oldest_waiting_at)}`
      this.#tiles.jobs.show(whole(jobs.counts.queued), `${whole(jobs.counts.processing)} running${oldest}`)
    }
    const counts = live.nodes.map((node) => node.counts)
    const throttles = summed(
      counts.map((each) => each.throttled),
      ({ action }) => action,
      ({ count }) => count,
    )
    const refused = counts.flatMap((each) => each.refused).reduce((sum, { count }) => sum + count, 0)
    const throttled = throttles.reduce((sum, { count }) => sum + count, 0)
    this.#tiles.throttled.show(whole(throttled + refused), `${whole(throttled)} answers, ${whole(refused)} connections`)
    const silent = live.tick?.silent.length ?? 0
    const busiest = Math.max(0, ...live.nodes.map(({ busy }) => busy))
    const draining = live.nodes.filter((node) => node.draining).length
    this.#tiles.nodes.show(
      whole(live.nodes.length),
      [
        `busiest ${Math.round(100 * busiest)} %`,
        draining > 0 ? `${draining} draining` : '',
        silent > 0 ? `${silent} silent` : '',
      ]
        .filter((part) => part !== '')
        .join(', '),
    )
  }

  #showMoney(money: MoneyNow | null): void {
    if (money === null) return
    const day = money.budgets.find(({ account, limit }) => account === 'installation' && limit === 'day')
    const beside = day === undefined ? 'UTC day, everybody' : `${percent(day.used, day.cap)} % of ${dollars(day.cap)}`
    this.#tiles.spent.show(dollars(money.spent_today_nano_usd), beside)
    this.#objective.show(money.objective)
    this.#noBudgets.hidden = money.budgets.length > 0
    this.#budgets.replaceChildren(
      ...money.budgets.slice(0, MOST_BUDGETS).map((budget) => {
        const meter = new Meter()
        meter.show(budget, bucketLong(budget))
        const who = budget.account === 'installation' ? 'all' : budget.id
        return h('div', { class: 'bucket' }, h('span', { class: 'of' }, who), meter.root)
      }),
    )
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    this.#askedAt = this.#context.now()
    this.#spent = this.#context.live.money?.spent_today_nano_usd ?? 0
    const days = daysUntil(this.#askedAt, DAYS)
    try {
      const { data } = await this.#context.api.usage({ group_by: 'day', from: days[0] as string })
      setText(this.#problem, '')
      if (this.#isShown) this.#showUsage(days, data)
    } catch (error) {
      setText(this.#problem, this.#context.failed(error))
    } finally {
      this.#isAsking = false
    }
  }

  #showUsage(days: readonly string[], rows: readonly UsageRow[]): void {
    const by = new Map(rows.map((row) => [row.day, row]))
    const line = (name: string, read: (row: UsageRow) => number): Series => ({
      name,
      values: days.map((day) => {
        const row = by.get(day)
        return row === undefined ? 0 : read(row)
      }),
    })
    const spent = rows.reduce((sum, row) => sum + row.cost.nano, 0)
    const saved = rows.reduce((sum, row) => sum + savedOf(row), 0)
    this.#tiles.saved.show(dollars(saved), saved > 0 ? `${percent(saved, saved + spent)} % less than without` : '')
    this.#chart.show(
      days,
      rows.length === 0 ? [] : [line('Cost', (row) => row.cost.nano), line('Saved', (row) => savedOf(row))],
    )
  }
}
