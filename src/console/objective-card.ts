import { h, setText } from '../widget/dom.ts'
import type { ObjectiveView } from '../wire/console.ts'
import { dollars, percent } from './format.ts'

/** The spend objective: how much of the day's money is gone, how much may be by now, and which steps are taken. */
export class ObjectiveCard {
  readonly root: HTMLElement
  readonly #empty = h('p', { class: 'empty' }, 'No spend objective is set.')
  readonly #body = h('div', {})
  readonly #gone = h('span', { class: 'fill' })
  readonly #line = h('span', { class: 'line' })
  readonly #words = h('p', {})
  readonly #state = h('p', { class: 'state' })
  readonly #steps = h('ul', { class: 'steps' })

  constructor() {
    const bar = h('div', { class: 'bar objective', 'aria-hidden': 'true' }, this.#gone, this.#line)
    this.#body.append(this.#state, bar, this.#words, this.#steps)
    this.root = h(
      'section',
      { class: 'card', 'aria-label': 'Spend objective' },
      h('h2', {}, 'Spend objective'),
      this.#empty,
      this.#body,
    )
    this.show(null)
  }

  show(objective: ObjectiveView | null): void {
    this.#empty.hidden = objective !== null
    this.#body.hidden = objective === null
    if (objective === null) return
    const { per_day_nano_usd: perDay, spent_nano_usd: spent, line_nano_usd: line, step, steps } = objective
    this.#gone.style.inlineSize = `${Math.min(100, percent(spent, perDay))}%`
    this.#line.style.insetInlineStart = `${Math.min(100, percent(line, perDay))}%`
    this.#body.dataset.level = step > 0 ? 'high' : spent > line ? 'raised' : 'low'
    setText(this.#state, step === 0 ? 'As configured' : `Step ${step} of ${steps.length} taken for new sessions`)
    const by = `${String(Math.floor(objective.by_minutes / 60)).padStart(2, '0')}:${String(objective.by_minutes % 60).padStart(2, '0')}`
    setText(
      this.#words,
      `${dollars(spent)} of ${dollars(perDay)} is gone; ${dollars(line)} may be gone by now (${objective.share_percent} % by ${by}, ${objective.time_zone}).`,
    )
    const items = steps.map(({ at_percent, siblings, max_output_tokens }, i) => {
      const changes = Object.entries(siblings).map(([model, sibling]) => `${model} → ${sibling}`)
      if (max_output_tokens !== null) changes.push(`answers of ${max_output_tokens} tokens at most`)
      const text = `Over ${at_percent} % of the line: ${changes.join(', ') || 'nothing changes'}`
      return h('li', { 'data-taken': String(i < step) }, i < step ? `${text} (taken)` : text)
    })
    this.#steps.replaceChildren(...items)
  }
}
