import { h, setText } from '../widget/dom.ts'

export interface Column<Row> {
  readonly title: string
  /** Writes the cell of a row, anew or over what is there. */
  fill(cell: HTMLTableCellElement, row: Row): void
  /** What the rows are ordered by; left out where they cannot be. */
  readonly order?: (row: Row) => number | string
  /** Numbers stand at the right edge. */
  readonly isNumber?: boolean
  /** The cell names its row. */
  readonly isHead?: boolean
  /** Written again every second. */
  readonly isClock?: boolean
}

export interface TableOptions<Row> {
  /** Names the table for who does not see it. */
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly key: (row: Row) => string
  readonly empty: string
  readonly pageSize: number
  /** Index of the column that orders at first; -1: as the rows come. */
  readonly orderedBy?: number
  readonly isDescending?: boolean
}

/**
 * A table of rows that change while somebody looks: pages, so that thousands of rows cost as little as fifty; rows are kept
 * and written over, so that focus stays; and what is under the pointer or has the focus does not jump away.
 */
export class DataTable<Row> {
  readonly root: HTMLElement
  readonly #options: TableOptions<Row>
  readonly #body: HTMLTableSectionElement
  readonly #empty: HTMLElement
  readonly #frame: HTMLElement
  readonly #pager: HTMLElement
  readonly #where: HTMLElement
  readonly #back: HTMLButtonElement
  readonly #on: HTMLButtonElement
  readonly #heads: HTMLTableCellElement[]
  readonly #sorter: HTMLSelectElement
  readonly #shown = new Map<string, { element: HTMLTableRowElement; row: Row }>()
  #rows: readonly Row[] = []
  #page = 0
  #orderedBy: number
  #isDescending: boolean

  constructor(options: TableOptions<Row>) {
    this.#options = options
    this.#orderedBy = options.orderedBy ?? -1
    this.#isDescending = options.isDescending ?? false
    this.#heads = options.columns.map((column, i) => this.#head(column, i))
    this.#body = h('tbody', { role: 'rowgroup' })
    this.#empty = h('p', { class: 'empty' }, options.empty)
    this.#where = h('span', { class: 'where' })
    this.#back = button('Previous', () => this.#turn(-1))
    this.#on = button('Next', () => this.#turn(1))
    this.#pager = h('div', { class: 'pager' }, this.#where, this.#back, this.#on)
    this.#sorter = this.#makeSorter()
    const head = h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...this.#heads))
    // At phone width rows are shown as cards, which takes their roles away unless they are written down.
    const table = h('table', { role: 'table' }, h('caption', { class: 'vh' }, options.caption), head, this.#body)
    const sort = h('label', { class: 'sorter' }, 'Order by', this.#sorter)
    sort.hidden = options.columns.every(({ order }) => order === undefined)
    this.#frame = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': options.caption }, table)
    this.root = h('div', { class: 'table' }, sort, this.#frame, this.#empty, this.#pager)
    this.#markOrder()
    this.show([])
  }

  /** All rows there are; those of the present page are written. */
  show(rows: readonly Row[]): void {
    this.#rows = rows
    this.#render()
  }

  /** Writes again what changes with time alone. */
  second(): void {
    const clocks = this.#options.columns.flatMap(({ isClock }, i) => (isClock === true ? [i] : []))
    for (const { element, row } of this.#shown.values()) {
      for (const i of clocks) this.#options.columns[i]?.fill(element.cells[i] as HTMLTableCellElement, row)
    }
  }

  #render(): void {
    const { columns, key, pageSize } = this.#options
    const pages = Math.max(1, Math.ceil(this.#rows.length / pageSize))
    this.#page = Math.min(this.#page, pages - 1)
    const page = this.#pageRows()
    const keys = new Set(page.map(key))
    for (const [id, { element }] of this.#shown) {
      if (keys.has(id)) continue
      if (element.contains(document.activeElement)) this.#frame.focus()
      element.remove()
      this.#shown.delete(id)
    }
    page.forEach((row, at) => {
      const id = key(row)
      let shown = this.#shown.get(id)
      if (shown === undefined) {
        shown = { element: this.#makeRow(), row }
        shown.element.dataset.key = id
        this.#shown.set(id, shown)
      }
      shown.row = row
      const { element } = shown
      columns.forEach((column, i) => void column.fill(element.cells[i] as HTMLTableCellElement, row))
      if (this.#body.rows[at] !== element) this.#body.insertBefore(element, this.#body.rows[at] ?? null)
    })
    // A table without rows has nothing to say, and at phone width not even a head.
    this.#empty.hidden = this.#rows.length > 0
    this.#frame.hidden = this.#rows.length === 0
    const first = this.#page * pageSize
    setText(this.#where, `${first + 1}–${Math.min(first + pageSize, this.#rows.length)} of ${this.#rows.length}`)
    this.#pager.hidden = pages === 1
    enable(this.#back, this.#page > 0)
    enable(this.#on, this.#page < pages - 1)
  }

  /** Rows of the present page. While somebody is at it, those that are there stay where they are. */
  #pageRows(): Row[] {
    const { key, pageSize } = this.#options
    const from = this.#page * pageSize
    const wanted = this.#ordered().slice(from, from + pageSize)
    if (this.#shown.size === 0 || !this.#body.matches(':hover, :focus-within')) return wanted
    const all = new Map(this.#rows.map((row) => [key(row), row]))
    const kept = [...this.#body.rows].flatMap((element) => all.get(element.dataset.key ?? '') ?? [])
    const known = new Set(kept.map(key))
    return [...kept, ...wanted.filter((row) => !known.has(key(row)))].slice(0, pageSize)
  }

  #ordered(): readonly Row[] {
    const order = this.#options.columns[this.#orderedBy]?.order
    if (order === undefined) return this.#rows
    const by = this.#rows.map((row) => ({ row, value: order(row) }))
    const sign = this.#isDescending ? -1 : 1
    by.sort((a, b) => (a.value === b.value ? 0 : a.value < b.value ? -sign : sign))
    return by.map(({ row }) => row)
  }

  #makeRow(): HTMLTableRowElement {
    const cells = this.#options.columns.map(({ title, isHead, isNumber }) =>
      h(isHead === true ? 'th' : 'td', {
        role: isHead === true ? 'rowheader' : 'cell',
        ...(isHead === true ? { scope: 'row' } : {}),
        class: isNumber === true ? 'number' : '',
        'data-title': title,
      }),
    )
    return h('tr', { role: 'row' }, ...cells)
  }

  #head({ title, order, isNumber }: Column<Row>, i: number): HTMLTableCellElement {
    const cell = h('th', { role: 'columnheader', scope: 'col', class: isNumber === true ? 'number' : '' })
    if (order === undefined) cell.append(title)
    else cell.append(button(title, () => this.#orderBy(i, this.#orderedBy === i && !this.#isDescending), 'order'))
    return cell
  }

  #makeSorter(): HTMLSelectElement {
    const options = this.#options.columns.flatMap(({ title, order }, i) =>
      order === undefined
        ? []
        : [h('option', { value: `${i} up` }, `${title}, up`), h('option', { value: `${i} down` }, `${title}, down`)],
    )
    const unordered = this.#orderedBy < 0 ? [h('option', { value: '-1 up' }, 'as they come')] : []
    const select = h('select', {}, ...unordered, ...options)
    select.addEventListener('change', () => {
      const [i, way] = select.value.split(' ')
      this.#orderBy(Number(i), way === 'down')
    })
    return select
  }

  #orderBy(i: number, isDescending: boolean): void {
    this.#orderedBy = i
    this.#isDescending = isDescending
    this.#page = 0
    for (const { element } of this.#shown.values()) element.remove()
    this.#shown.clear()
    this.#markOrder()
    this.#render()
  }

  #markOrder(): void {
    const way = this.#isDescending ? 'descending' : 'ascending'
    this.#heads.forEach((head, i) => {
      if (i === this.#orderedBy) head.setAttribute('aria-sort', way)
      else head.removeAttribute('aria-sort')
    })
    this.#sorter.value = `${this.#orderedBy} ${this.#isDescending ? 'down' : 'up'}`
  }

  #turn(by: number): void {
    this.#page += by
    for (const { element } of this.#shown.values()) element.remove()
    this.#shown.clear()
    this.#render()
  }
}

/** A button that does something on this page. */
export function button(text: string, press: () => void, kind = ''): HTMLButtonElement {
  const element = h('button', { type: 'button', class: kind }, text)
  element.addEventListener('click', () => {
    if (element.getAttribute('aria-disabled') !== 'true') press()
  })
  return element
}

/** A button that does nothing now keeps the focus, so that who works by keyboard stays where they are. */
export function enable(button: HTMLButtonElement, isOn: boolean): void {
  if (isOn) button.removeAttribute('aria-disabled')
  else button.setAttribute('aria-disabled', 'true')
}

/** Fills a cell with text, once it differs. */
export function fillText(cell: HTMLElement, text: string): void {
  setText(cell, text)
}
