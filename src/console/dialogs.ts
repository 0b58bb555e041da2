import { h, setText } from '../widget/dom.ts'
import { takeAway } from './announcer.ts'
import { button } from './table.ts'

/** Asks before something that cannot be undone. Resolves to false for every other way out. */
export async function confirmed(title: string, text: string, act: string): Promise<boolean> {
  const answer = Promise.withResolvers<boolean>()
  const dialog = h('dialog', {
    class: 'confirm',
    'aria-labelledby': 'confirm-title',
    'aria-describedby': 'confirm-text',
  })
  const close = (isYes: boolean) => {
    answer.resolve(isYes)
    dialog.close()
  }
  const keep = button('Cancel', () => close(false))
  dialog.append(
    h('h2', { id: 'confirm-title' }, title),
    h('p', { id: 'confirm-text' }, text),
    h(
      'div',
      { class: 'actions' },
      keep,
      button(act, () => close(true), 'danger'),
    ),
  )
  dialog.addEventListener('close', () => {
    answer.resolve(false)
    takeAway(dialog)
  })
  document.body.append(dialog)
  dialog.showModal()
  // What destroys is never one keystroke away.
  keep.focus()
  return answer.promise
}

/** A sheet over the page with a title and a way to close it; `closed` is called once. */
export class Sheet {
  readonly root: HTMLDialogElement
  readonly body: HTMLElement
  readonly actions: HTMLElement

  constructor(title: string, closed: () => void) {
    const heading = h('h2', { id: 'sheet-title' }, title)
    this.body = h('div', { class: 'sheet-body' })
    this.actions = h('div', { class: 'actions' })
    const bar = h(
      'header',
      { class: 'sheet-bar' },
      heading,
      this.actions,
      button('Close', () => this.root.close()),
    )
    this.root = h('dialog', { class: 'sheet', 'aria-labelledby': 'sheet-title' }, bar, this.body)
    this.root.addEventListener('close', () => {
      takeAway(this.root)
      closed()
    })
    // A press beside the sheet closes it.
    this.root.addEventListener('click', (event) => {
      if (event.target === this.root) this.root.close()
    })
    document.body.append(this.root)
    this.root.showModal()
  }
}

/** Names and what they stand for; written over in place, so that what somebody has selected stays selected. */
export class Facts {
  readonly root = h('dl', { class: 'facts' })
  readonly #values = new Map<string, HTMLElement>()

  show(pairs: readonly (readonly [name: string, value: string])[]): void {
    for (const [name, value] of pairs) {
      let place = this.#values.get(name)
      if (place === undefined) {
        place = h('dd', {})
        this.#values.set(name, place)
        this.root.append(h('div', {}, h('dt', {}, name), place))
      }
      setText(place, value)
    }
    const names = new Set(pairs.map(([name]) => name))
    for (const [name, place] of this.#values) {
      if (names.has(name)) continue
      place.parentElement?.remove()
      this.#values.delete(name)
    }
  }
}
