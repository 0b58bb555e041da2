import { h, setText } from '../widget/dom.ts'
import type { Bucket } from '../wire/console.ts'
import { dollars, percent, whole } from './format.ts'

/** How much of a limit is gone, as a bar with its words. */
export class Meter {
  readonly root: HTMLElement
  readonly #bar: HTMLElement
  readonly #words: HTMLElement

  constructor() {
    this.#bar = h('span', { class: 'fill' })
    this.#words = h('span', { class: 'words' })
    this.root = h(
      'span',
      { class: 'meter' },
      h('span', { class: 'bar', 'aria-hidden': 'true' }, this.#bar),
      this.#words,
    )
  }

  show(bucket: Pick<Bucket, 'cap' | 'used'> | null, words: string): void {
    this.root.classList.toggle('none', bucket === null)
    const gone = bucket === null ? 0 : percent(bucket.used, bucket.cap)
    this.#bar.style.inlineSize = `${Math.min(100, gone)}%`
    this.root.dataset.level = gone >= 90 ? 'high' : gone >= 70 ? 'raised' : 'low'
    setText(this.#words, words)
  }
}

const meters = new WeakMap<HTMLElement, Meter>()

/** A meter in a table's cell, made once. */
export function meterIn(cell: HTMLElement): Meter {
  let meter = meters.get(cell)
  if (meter === undefined) {
    meter = new Meter()
    meters.set(cell, meter)
    cell.replaceChildren(meter.root)
  }
  return meter
}

/** `62 % of the tenant's day` */
export function bucketShort(bucket: Bucket | null): string {
  if (bucket === null) return 'no limit'
  return `${percent(bucket.used, bucket.cap)} % · ${bucket.account}${bucket.limit === 'tokens' ? '' : ` ${bucket.limit}`}`
}

/** `1,200 of 5,000 weighted tokens a minute` */
export function bucketLong({ limit, used, cap }: Pick<Bucket, 'limit' | 'used' | 'cap'>): string {
  if (limit === 'tokens') return `${whole(used)} of ${whole(cap)} weighted tokens in any minute`
  const span = { budget: 'in all', day: 'this day (UTC)', month: 'this month (UTC)' }[limit]
  return `${dollars(used)} of ${dollars(cap)} ${span}`
}
