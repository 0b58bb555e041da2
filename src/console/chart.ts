import { BarController, BarElement, CategoryScale, Chart, Legend, LinearScale, Tooltip } from 'chart.js'
import { h } from '../widget/dom.ts'
import { dollars, exactDollars } from './format.ts'
import type { Series } from './usage.ts'

Chart.register(BarController, BarElement, CategoryScale, LinearScale, Legend, Tooltip)

/** Colours of the style sheet, in the order of the series. */
const COLOURS = 7

/** Money by day as stacked bars, and the same numbers as a table for who does not see them. */
export class MoneyChart {
  readonly root: HTMLElement
  readonly #canvas: HTMLCanvasElement
  readonly #table: HTMLElement
  readonly #empty: HTMLElement
  readonly #frame: HTMLElement
  readonly #details: HTMLDetailsElement
  readonly #name: string
  #chart: Chart<'bar', number[], string> | null = null
  /** Null until anything is known. */
  #shown: { days: readonly string[]; series: readonly Series[] } | null = null
  readonly #dark = matchMedia('(prefers-color-scheme: dark)')
  readonly #redraw = () => this.#draw()

  constructor(name: string, empty: string) {
    this.#name = name
    this.#canvas = h('canvas', { role: 'img' })
    this.#frame = h('div', { class: 'chart' }, this.#canvas)
    this.#empty = h('p', { class: 'empty' }, empty)
    this.#table = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${name}, as a table` })
    this.#details = h('details', {}, h('summary', {}, 'As a table'), this.#table)
    // A table that nobody has opened is not made.
    this.#details.addEventListener('toggle', () => this.#fillTable())
    this.root = h('figure', { class: 'card' }, h('figcaption', {}, name), this.#frame, this.#empty, this.#details)
    for (const part of [this.#frame, this.#empty, this.#details]) part.hidden = true
  }

  /** It is seen from now on, with what is known of it. */
  open(): void {
    this.#dark.addEventListener('change', this.#redraw)
    this.#draw()
  }

  show(days: readonly string[], series: readonly Series[]): void {
    this.#shown = { days, series }
    this.#draw()
    this.#fillTable()
  }

  /** It is not seen any more: lets go of what it is drawn with. */
  close(): void {
    this.#dark.removeEventListener('change', this.#redraw)
    this.#chart?.destroy()
    this.#chart = null
  }

  #draw(): void {
    if (this.#shown === null) return
    const { days, series } = this.#shown
    const isEmpty = series.length === 0
    this.#empty.hidden = !isEmpty
    this.#frame.hidden = isEmpty
    this.#details.hidden = isEmpty
    if (isEmpty) return
    const total = series.reduce((sum, { values }) => sum + values.reduce((all, value) => all + value, 0), 0)
    this.#canvas.setAttribute('aria-label', `${this.#name}: ${exactDollars(total)} in ${days.length} days`)
    const style = getComputedStyle(document.documentElement)
    const colour = (name: string) => style.getPropertyValue(name).trim()
    const data = {
      labels: [...days],
      datasets: series.map(({ name, values }, i) => ({
        label: name,
        data: [...values],
        backgroundColor: colour(`--series-${i % COLOURS}`),
        maxBarThickness: 28,
      })),
    }
    const options = optionsOf(colour, series.length)
    if (this.#chart !== null) {
      this.#chart.data = data
      this.#chart.options = options
      return this.#chart.update()
    }
    this.#chart = new Chart(this.#canvas, { type: 'bar', data, options })
  }

  #fillTable(): void {
    if (!this.#details.open || this.#shown === null) return
    const { days, series } = this.#shown
    const head = h(
      'tr',
      {},
      h('th', { scope: 'col' }, 'Day'),
      ...series.map(({ name }) => h('th', { scope: 'col', class: 'number' }, name)),
    )
    const rows = days.map((day, i) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, day),
        ...series.map(({ values }) => h('td', { class: 'number' }, exactDollars(values[i] ?? 0))),
      ),
    )
    const caption = h('caption', { class: 'vh' }, this.#name)
    this.#table.replaceChildren(h('table', { class: 'plain' }, caption, h('thead', {}, head), h('tbody', {}, ...rows)))
  }
}

function optionsOf(colour: (name: string) => string, series: number) {
  const font = { family: 'system-ui, sans-serif' }
  const [text, line] = [colour('--soft'), colour('--line')]
  return {
    animation: false as const,
    responsive: true,
    maintainAspectRatio: false,
    interaction: { mode: 'index' as const, intersect: false },
    scales: {
      x: {
        stacked: true,
        grid: { display: false },
        border: { color: line },
        ticks: { color: text, font, maxRotation: 0, autoSkipPadding: 12, callback: dayLabel },
      },
      y: {
        stacked: true,
        beginAtZero: true,
        grid: { color: line },
        border: { display: false },
        ticks: { color: text, font, maxTicksLimit: 6, callback: (value: string | number) => dollars(Number(value)) },
      },
    },
    plugins: {
      legend: {
        display: series > 1,
        position: 'bottom' as const,
        labels: { color: text, font, boxWidth: 12, boxHeight: 12 },
      },
      tooltip: {
        callbacks: {
          label: ({ dataset, raw }: { dataset: { label?: string | undefined }; raw: unknown }) =>
            `${dataset.label ?? ''}: ${exactDollars(Number(raw))}`,
        },
      },
    },
  }
}

/** `11-25` of `2026-11-25`. */
function dayLabel(this: { getLabelForValue(value: number): string }, value: string | number): string {
  return this.getLabelForValue(Number(value)).slice(5)
}
