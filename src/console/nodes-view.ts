import { h } from '../widget/dom.ts'
import type { NodeView as NodeRow } from '../wire/console.ts'
import type { Context, View } from './context.ts'
import { ago, bytes, clock, shortId, whole, words } from './format.ts'
import { type Part, summed } from './live-store.ts'
import { type Column, DataTable, fillText } from './table.ts'

interface Counted {
  readonly name: string
  readonly count: number
}

/** The nodes, and what they have refused, throttled and ended since they were started. */
export class NodesView implements View {
  readonly title = 'Nodes'
  readonly root: HTMLElement
  readonly #context: Context
  readonly #nodes: DataTable<NodeRow>
  readonly #silent = h('p', { class: 'error', role: 'status' })
  readonly #refused = counts('Connections refused', 'None was refused.')
  readonly #throttled = counts('Answers throttled', 'None had to wait.')
  readonly #ended = counts('Sessions ended', 'None has ended.')

  constructor(context: Context) {
    this.#context = context
    this.#nodes = new DataTable<NodeRow>({
      caption: 'Nodes',
      key: ({ id }) => id,
      empty: 'No node has answered yet.',
      pageSize: 25,
      columns: columnsOf(context),
    })
    const section = (title: string, table: DataTable<Counted>) =>
      h('section', { class: 'card' }, h('h2', {}, title), table.root)
    this.root = h(
      'div',
      {},
      h('div', { class: 'toolbar' }, h('h1', {}, 'Nodes')),
      this.#silent,
      this.#nodes.root,
      h('p', { class: 'note' }, 'Counted since each node was started.'),
      h(
        'div',
        { class: 'thirds' },
        section('Connections refused', this.#refused),
        section('Answers throttled', this.#throttled),
        section('Sessions ended', this.#ended),
      ),
    )
  }

  enter(): void {
    this.#show()
  }

  leave(): void {}

  update(parts: ReadonlySet<Part>): void {
    if (parts.has('nodes') || parts.has('tick')) this.#show()
  }

  second(): void {
    this.#nodes.second()
  }

  #show(): void {
    const { nodes, tick } = this.#context.live
    this.#nodes.show(nodes)
    const silent = tick?.silent ?? []
    fillText(this.#silent, silent.length === 0 ? '' : `No answer from ${silent.map(shortId).join(', ')}.`)
    const all = nodes.map((node) => node.counts)
    this.#refused.show(
      summed(
        all.map((each) => each.refused),
        ({ code }) => words(code),
        ({ count }) => count,
      ),
    )
    this.#throttled.show(
      summed(
        all.map((each) => each.throttled),
        ({ action, account, limit }) => `${action}: ${limit} of the ${account}`,
        ({ count }) => count,
      ),
    )
    this.#ended.show(
      summed(
        all.map((each) => each.ended),
        ({ reason }) => words(reason),
        ({ count }) => count,
      ),
    )
  }
}

function columnsOf({ now }: Context): Column<NodeRow>[] {
  const total = (list: readonly { count: number }[]) => whole(list.reduce((sum, { count }) => sum + count, 0))
  return [
    {
      title: 'Node',
      isHead: true,
      fill: (cell, { id, draining }) => {
        fillText(cell, draining ? `${shortId(id)} (draining)` : shortId(id))
        cell.title = id
      },
    },
    { title: 'Address', fill: (cell, { url }) => fillText(cell, url) },
    {
      title: 'Sessions',
      isNumber: true,
      fill: (cell, row) => fillText(cell, whole(row.sessions)),
    },
    {
      title: 'Busy',
      isNumber: true,
      fill: (cell, row) => fillText(cell, `${Math.round(100 * row.busy)} %`),
    },
    {
      title: 'Memory',
      isNumber: true,
      fill: (cell, row) => fillText(cell, bytes(row.memory_bytes)),
    },
    {
      title: 'Refused',
      isNumber: true,
      fill: (cell, row) => fillText(cell, total(row.counts.refused)),
    },
    {
      title: 'Throttled',
      isNumber: true,
      fill: (cell, row) => fillText(cell, total(row.counts.throttled)),
    },
    {
      title: 'Up',
      isNumber: true,
      isClock: true,
      fill: (cell, row) => fillText(cell, clock(now() - row.started_at)),
    },
    {
      title: 'Heard',
      isNumber: true,
      isClock: true,
      fill: (cell, row) => fillText(cell, ago(now() - row.told_at)),
    },
  ]
}

function counts(caption: string, empty: string): DataTable<Counted> {
  return new DataTable<Counted>({
    caption,
    empty,
    key: ({ name }) => name,
    pageSize: 12,
    columns: [
      { title: 'Why', isHead: true, fill: (cell, { name }) => fillText(cell, name) },
      { title: 'Count', isNumber: true, fill: (cell, { count }) => fillText(cell, whole(count)) },
    ],
  })
}
