import { h, setText } from '../widget/dom.ts'
import type { EndedRow, LiveRow } from '../wire/console.ts'
import type { Context, View } from './context.ts'
import { ago, clock, dollars, exactDollars, shortId, took, words } from './format.ts'
import type { Part } from './live-store.ts'
import { bucketShort, meterIn } from './meter.ts'
import { activityWords, idleWords, isIdleNear, matching, whoWords } from './session-words.ts'
import { button, type Column, DataTable, enable, fillText } from './table.ts'

const PAGE = 50

/** Sessions that run, on all nodes, and those that have ended lately. */
export class SessionsView implements View {
  readonly title = 'Sessions'
  readonly root: HTMLElement
  readonly #context: Context
  readonly #table: DataTable<LiveRow>
  readonly #ended: DataTable<EndedRow>
  readonly #search: HTMLInputElement
  readonly #count: HTMLElement

  constructor(context: Context) {
    this.#context = context
    this.#search = h('input', {
      type: 'search',
      placeholder: 'Tenant, user, model, id …',
      'aria-label': 'Find sessions',
    })
    this.#search.addEventListener('input', () => this.#show())
    this.#count = h('span', { class: 'count' })
    this.#table = new DataTable({
      caption: 'Sessions that are running',
      columns: liveColumns(context),
      key: ({ id }) => id,
      empty: 'No session is running.',
      pageSize: PAGE,
      orderedBy: 3,
    })
    this.#ended = new DataTable({
      caption: 'Sessions that ended lately',
      columns: endedColumns(context),
      key: ({ id }) => id,
      empty: 'None yet since the nodes were started.',
      pageSize: 10,
    })
    this.root = h(
      'div',
      {},
      h('div', { class: 'toolbar' }, h('h1', {}, 'Sessions'), this.#count, this.#search),
      this.#table.root,
      h('h2', {}, 'Ended lately'),
      this.#ended.root,
    )
  }

  enter(): void {
    this.#show()
    this.#ended.show(this.#context.live.ended)
  }

  leave(): void {}

  update(parts: ReadonlySet<Part>): void {
    if (parts.has('sessions')) this.#show()
    if (parts.has('ended')) this.#ended.show(this.#context.live.ended)
  }

  second(): void {
    this.#table.second()
    this.#ended.second()
  }

  #show(): void {
    const { sessions, nodes } = this.#context.live
    const rows = matching(sessions.values(), this.#search.value)
    const unlisted = nodes.reduce((sum, node) => sum + node.unlisted, 0)
    const more = unlisted === 0 ? '' : `, and ${unlisted} more that are not listed`
    setText(this.#count, `${rows.length === sessions.size ? '' : `${rows.length} of `}${sessions.size} live${more}`)
    this.#table.show(rows)
  }
}

function liveColumns({ open, end, now }: Context): Column<LiveRow>[] {
  return [
    {
      title: 'Session',
      isHead: true,
      fill: (cell, { id }) => idIn(cell, id, open),
    },
    { title: 'Who', order: whoWords, fill: (cell, row) => fillText(cell, whoWords(row)) },
    {
      title: 'Model',
      order: ({ model }) => model,
      fill: (cell, { model, served }) => fillText(cell, model === served ? model : `${model} → ${served}`),
    },
    {
      title: 'Age',
      order: ({ admitted_at }) => -admitted_at,
      isNumber: true,
      isClock: true,
      fill: (cell, { admitted_at }) => fillText(cell, clock(now() - admitted_at)),
    },
    {
      title: 'Now',
      order: activityWords,
      fill: (cell, row) => {
        if (cell.firstElementChild === null) cell.append(h('span', { class: 'chip' }))
        const chip = cell.firstElementChild as HTMLElement
        chip.dataset.kind = row.activity
        setText(chip, activityWords(row))
      },
    },
    {
      title: 'Idle cut in',
      order: ({ idle_ends_at }) => idle_ends_at ?? Number.POSITIVE_INFINITY,
      isNumber: true,
      isClock: true,
      fill: (cell, row) => {
        fillText(cell, idleWords(row, now()))
        cell.classList.toggle('near', isIdleNear(row, now()))
      },
    },
    {
      title: 'Token rate',
      order: ({ rate }) => (rate === null ? -1 : rate.used / Math.max(1, rate.cap)),
      fill: (cell, { rate }) => meterIn(cell).show(rate, bucketShort(rate)),
    },
    {
      title: 'Budget',
      order: ({ money }) => (money === null ? -1 : money.used / Math.max(1, money.cap)),
      fill: (cell, { money }) => meterIn(cell).show(money, bucketShort(money)),
    },
    {
      title: 'Cost',
      order: ({ usage }) => usage.cost_nano_usd,
      isNumber: true,
      fill: (cell, { usage }) => costIn(cell, usage.cost_nano_usd),
    },
    {
      title: 'End',
      fill: (cell, row) => {
        if (cell.firstElementChild === null) {
          const press = button('End', () => end(row.id), 'quiet')
          press.setAttribute('aria-label', `End session ${shortId(row.id)}`)
          cell.append(press)
        }
        enable(cell.firstElementChild as HTMLButtonElement, row.phase !== 'draining')
      },
    },
  ]
}

function endedColumns({ open, now }: Context): Column<EndedRow>[] {
  return [
    { title: 'Session', isHead: true, fill: (cell, { id }) => idIn(cell, id, open) },
    { title: 'Who', order: whoWords, fill: (cell, row) => fillText(cell, whoWords(row)) },
    { title: 'Model', order: ({ model }) => model, fill: (cell, { model }) => fillText(cell, model) },
    { title: 'Why', order: ({ reason }) => reason, fill: (cell, { reason }) => fillText(cell, words(reason)) },
    {
      title: 'Ended',
      order: ({ ended_at }) => -ended_at,
      isNumber: true,
      isClock: true,
      fill: (cell, { ended_at }) => fillText(cell, ago(now() - ended_at)),
    },
    {
      title: 'Lasted',
      order: (row) => row.ended_at - row.admitted_at,
      isNumber: true,
      fill: (cell, row) => fillText(cell, took(row.ended_at - row.admitted_at)),
    },
    {
      title: 'Cost',
      order: ({ cost_nano_usd }) => cost_nano_usd,
      isNumber: true,
      fill: (cell, { cost_nano_usd }) => costIn(cell, cost_nano_usd),
    },
  ]
}

function idIn(cell: HTMLElement, id: string, open: (id: string) => void): void {
  if (cell.firstElementChild !== null) return
  const press = button(shortId(id), () => open(id), 'link')
  press.setAttribute('aria-label', `Open session ${shortId(id)}`)
  press.title = id
  cell.append(press)
}

function costIn(cell: HTMLElement, nano: number): void {
  fillText(cell, dollars(nano))
  cell.title = exactDollars(nano)
}
