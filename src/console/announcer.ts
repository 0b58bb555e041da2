import { setText } from '../widget/dom.ts'

/** How long a word stays to be read, ms. */
const SHOWN_FOR = 6_000

/** Says things once, to who looks and to who listens. */
export class Announcer {
  readonly #place: HTMLElement
  #timer = 0

  /** `place`: a live region. */
  constructor(place: HTMLElement) {
    this.#place = place
  }

  say(text: string): void {
    // What lies behind an open dialog is neither seen nor heard.
    const host = [...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body
    if (this.#place.parentElement !== host) host.append(this.#place)
    clearTimeout(this.#timer)
    setText(this.#place, text)
    this.#timer = window.setTimeout(() => setText(this.#place, ''), SHOWN_FOR)
  }
}

/** Takes a dialog away, but not the live region that may be in it. */
export function takeAway(dialog: HTMLDialogElement): void {
  document.body.append(...dialog.querySelectorAll('.toast'))
  dialog.remove()
}
