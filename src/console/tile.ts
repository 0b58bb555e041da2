import { h, setText } from '../widget/dom.ts'

/** One number with its name and a word beside it. */
export class Tile {
  readonly root: HTMLElement
  readonly #value = h('strong', {}, '–')
  readonly #exact = h('span', { class: 'exact' })
  readonly #beside = h('span', { class: 'beside' })

  /** `href`: where more of it is. */
  constructor(name: string, href: string | null = null) {
    const title = href === null ? h('span', { class: 'name' }, name) : h('a', { class: 'name', href }, name)
    this.root = h('div', { class: 'tile' }, title, this.#value, this.#exact, this.#beside)
  }

  /** `exact`: the same number to its last digit. */
  show(value: string, beside: string, exact = ''): void {
    setText(this.#value, value)
    setText(this.#exact, exact === value ? '' : exact)
    setText(this.#beside, beside)
  }
}
