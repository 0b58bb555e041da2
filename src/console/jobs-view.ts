import { h, setText } from '../widget/dom.ts'
import type { JobRow } from '../wire/console-jobs.ts'
import type { Context, View } from './context.ts'
import { ago, dollars, exactDollars, shortId, took, whole, words } from './format.ts'
import { openJob } from './job-sheet.ts'
import type { Part } from './live-store.ts'
import { button, type Column, DataTable, enable, fillText } from './table.ts'

const STATUSES = ['queued', 'processing', 'scheduled', 'succeeded', 'failed', 'canceled', 'expired'] as const
const TYPES = ['audio.transcribe', 'audio.prepare', 'image.describe', 'image.prepare', 'video.audio', 'video.frames']
const PAGE = 50

/** The queue and the jobs of all tenants, newest first, a page at a time. */
export class JobsView implements View {
  readonly title = 'Jobs'
  readonly root: HTMLElement
  readonly #context: Context
  readonly #table: DataTable<JobRow>
  readonly #tiles = new Map<string, { button: HTMLButtonElement; count: HTMLElement }>()
  readonly #waiting = h('p', { class: 'note' })
  readonly #tenants = h('p', { class: 'note' })
  readonly #tenant: HTMLInputElement
  readonly #type: HTMLSelectElement
  readonly #problem = h('p', { class: 'error', role: 'alert' })
  readonly #newer: HTMLButtonElement
  readonly #older: HTMLButtonElement
  #status = ''
  /** Where the pages before the present one began. */
  #before: string[] = []
  #after = ''
  #next: string | null = null
  #asking: Promise<void> | null = null
  #isStale = false
  #isShown = false

  constructor(context: Context) {
    this.#context = context
    const columns = columnsOf(context)
    const options = { caption: 'Jobs, newest first', columns, key: (row: JobRow) => row.id, pageSize: PAGE }
    this.#table = new DataTable({ ...options, empty: 'No job is to be seen here.' })
    const tiles = h('div', { class: 'tiles small', role: 'group', 'aria-label': 'Jobs by status' })
    for (const status of ['', ...STATUSES]) tiles.append(this.#tile(status))
    this.#tenant = h('input', { type: 'search', placeholder: 'All tenants', 'aria-label': 'Tenant', maxlength: '40' })
    this.#tenant.addEventListener('change', () => this.#first())
    this.#type = h('select', { 'aria-label': 'Type' }, h('option', { value: '' }, 'All types'))
    this.#type.append(...TYPES.map((type) => h('option', { value: type }, type)))
    this.#type.addEventListener('change', () => this.#first())
    this.#newer = button('Newer', () => this.#turn(false))
    this.#older = button('Older', () => this.#turn(true))
    const pager = h('div', { class: 'pager' }, this.#newer, this.#older)
    const bar = h('div', { class: 'toolbar' }, h('h1', {}, 'Jobs'), this.#tenant, this.#type)
    this.root = h('div', {}, bar, tiles, this.#waiting, this.#tenants, this.#problem, this.#table.root, pager)
  }

  enter(): void {
    this.#isShown = true
    this.#showCounts()
    this.#refresh()
  }

  leave(): void {
    this.#isShown = false
  }

  update(parts: ReadonlySet<Part>): void {
    if (parts.has('jobs')) this.#showCounts()
    // Progress changes no number: while something on the page is under way, every round counts.
    if (parts.has('jobs') || (parts.has('tick') && this.#isStale)) this.#refresh()
  }

  second(): void {
    this.#table.second()
    this.#showWait()
  }

  #tile(status: string): HTMLButtonElement {
    const count = h('strong', {}, '–')
    const element = button('', () => {
      this.#status = status
      this.#mark()
      this.#first()
    })
    element.append(count, h('span', {}, status === '' ? 'all' : status))
    element.setAttribute('aria-pressed', String(status === this.#status))
    this.#tiles.set(status, { button: element, count })
    return element
  }

  #mark(): void {
    for (const [status, tile] of this.#tiles) tile.button.setAttribute('aria-pressed', String(status === this.#status))
  }

  #showCounts(): void {
    const { jobs } = this.#context.live
    if (jobs === null) return
    const counts: Readonly<Record<string, number>> = jobs.counts
    const all = STATUSES.reduce((sum, status) => sum + (counts[status] ?? 0), 0)
    for (const [status, { count }] of this.#tiles) setText(count, whole(status === '' ? all : (counts[status] ?? 0)))
    const busy = jobs.tenants
      .slice(0, 5)
      .map(({ tenant, waiting, running }) => `${tenant}: ${whole(running)} running, ${whole(waiting)} waiting`)
    setText(this.#tenants, busy.join(' · '))
    this.#showWait()
  }

  #showWait(): void {
    const oldest = this.#context.live.jobs?.oldest_waiting_at ?? null
    setText(
      this.#waiting,
      oldest === null
        ? 'No job waits.'
        : `The one that waits longest was asked for ${ago(this.#context.now() - oldest)}.`,
    )
  }

  #first(): void {
    this.#before = []
    this.#after = ''
    this.#refresh()
  }

  #turn(isOlder: boolean): void {
    if (isOlder && this.#next !== null) {
      this.#before.push(this.#after)
      this.#after = this.#next
    } else if (!isOlder) this.#after = this.#before.pop() ?? ''
    this.#refresh()
  }

  /** One request at a time; what was asked for meanwhile is asked for after it. */
  #refresh(): void {
    if (this.#asking !== null) {
      this.#isStale = true
      return
    }
    this.#asking = this.#load().finally(() => {
      this.#asking = null
    })
  }

  async #load(): Promise<void> {
    const asked = JSON.stringify([this.#status, this.#tenant.value, this.#type.value, this.#after])
    const query: Record<string, string> = { limit: String(PAGE) }
    if (this.#status !== '') query.status = this.#status
    if (this.#tenant.value.trim() !== '') query.tenant = this.#tenant.value.trim()
    if (this.#type.value !== '') query.type = this.#type.value
    if (this.#after !== '') query.after = this.#after
    try {
      const { data, next } = await this.#context.api.jobs(query)
      if (!this.#isShown) return
      setText(this.#problem, '')
      this.#next = next
      this.#isStale = data.some(({ ended_at }) => ended_at === null)
      this.#table.show(data)
    } catch (error) {
      setText(this.#problem, this.#context.failed(error))
    }
    enable(this.#newer, this.#before.length > 0)
    enable(this.#older, this.#next !== null)
    const wanted = JSON.stringify([this.#status, this.#tenant.value, this.#type.value, this.#after])
    if (wanted !== asked && this.#isShown) await this.#load()
  }
}

function columnsOf(context: Context): Column<JobRow>[] {
  const { now } = context
  return [
    {
      title: 'Job',
      isHead: true,
      fill: (cell, row) => {
        if (cell.firstElementChild === null) cell.append(button(shortId(row.id), () => undefined, 'link'))
        const press = cell.firstElementChild as HTMLButtonElement
        press.onclick = () => openJob(row, context)
        press.title = row.id
        press.setAttribute('aria-label', `Open job ${shortId(row.id)}`)
      },
    },
    { title: 'Type', fill: (cell, { type }) => fillText(cell, type) },
    { title: 'Tenant', fill: (cell, { tenant }) => fillText(cell, tenant) },
    {
      title: 'Status',
      fill: (cell, { status, error }) => {
        if (cell.firstElementChild === null) cell.append(h('span', { class: 'chip' }))
        const chip = cell.firstElementChild as HTMLElement
        chip.dataset.kind = status
        setText(chip, error === null ? status : `${status}: ${words(error.code)}`)
      },
    },
    { title: 'Progress', fill: progressIn },
    {
      title: 'Asked for',
      isNumber: true,
      isClock: true,
      fill: (cell, { created_at }) => fillText(cell, ago(now() - created_at)),
    },
    {
      title: 'Took',
      isNumber: true,
      isClock: true,
      fill: (cell, { started_at, ended_at }) =>
        fillText(cell, started_at === null ? '–' : took((ended_at ?? now()) - started_at)),
    },
    { title: 'Saved', isNumber: true, fill: (cell, row) => moneyIn(cell, row.saved_nano_usd) },
    { title: 'Cost', isNumber: true, fill: (cell, row) => moneyIn(cell, row.cost_nano_usd) },
  ]
}

function moneyIn(cell: HTMLElement, nano: number | null): void {
  fillText(cell, nano === null ? '–' : dollars(nano))
  cell.title = nano === null ? '' : exactDollars(nano)
}

function progressIn(cell: HTMLElement, { status, stage, done, total }: JobRow): void {
  if (cell.firstElementChild === null) {
    cell.append(h('progress', { max: '1', 'aria-hidden': 'true' }), h('span', { class: 'words' }))
  }
  const [bar, text] = cell.children as never as [HTMLProgressElement, HTMLElement]
  const isRunning = status === 'processing'
  bar.hidden = !isRunning
  if (total > 0) bar.value = Math.min(1, done / total)
  else bar.removeAttribute('value')
  setText(
    text,
    !isRunning ? (status === 'succeeded' ? 'done' : '–') : total > 0 ? `${stage} ${done} of ${total}` : stage,
  )
}
