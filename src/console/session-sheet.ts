import { h, setText } from '../widget/dom.ts'
import type { Bucket, Timeline } from '../wire/console.ts'
import type { SessionLook } from './api.ts'
import type { Context } from './context.ts'
import { Facts, Sheet } from './dialogs.ts'
import { clock, dayAndTime, exactDollars, shortId, timeOfDay, whole, words } from './format.ts'
import { bucketLong, Meter } from './meter.ts'
import { activityWords, idleWords, momentWords } from './session-words.ts'
import { button, enable } from './table.ts'

/** Rounds of the stream between two looks: the time line is asked of the node that holds the session. */
const LOOK_EVERY_SECONDS = 2

/** One session: who, its clocks, its limits and its time line, as long as somebody looks. */
export class SessionSheet {
  readonly #id: string
  readonly #context: Context
  readonly #sheet: Sheet
  readonly #facts = new Facts()
  readonly #buckets = h('div', { class: 'buckets' })
  readonly #line = h('ol', { class: 'timeline' })
  readonly #note = h('p', { class: 'note' })
  readonly #end: HTMLButtonElement
  #seconds = 0
  #isAsking = false
  #isOver = false
  #lastMoment = ''
  #look: SessionLook | null = null

  constructor(id: string, context: Context, closed: () => void) {
    this.#id = id
    this.#context = context
    this.#sheet = new Sheet(`Session ${shortId(id)}`, () => {
      this.#isOver = true
      closed()
    })
    this.#end = button('End session', () => context.end(id), 'danger')
    this.#sheet.actions.append(this.#end)
    this.#sheet.body.append(
      this.#facts.root,
      h('section', { 'aria-label': 'Limits' }, h('h3', {}, 'Limits'), this.#buckets),
      h('section', { 'aria-label': 'Time line' }, h('h3', {}, 'Time line'), this.#note, this.#line),
    )
    void this.#ask()
  }

  /** A second has passed. */
  second(): void {
    this.#seconds++
    if (this.#seconds % LOOK_EVERY_SECONDS === 0) void this.#ask()
    this.#showFacts()
  }

  async #ask(): Promise<void> {
    if (this.#isAsking || this.#isOver || this.#look?.session.phase === 'ended') return
    this.#isAsking = true
    try {
      this.#look = await this.#context.api.lookAt(this.#id)
      this.#showFacts()
      this.#showBuckets(this.#look.buckets)
      this.#showLine(this.#look.timeline)
    } catch (error) {
      setText(this.#note, this.#context.failed(error))
    } finally {
      this.#isAsking = false
    }
  }

  #showFacts(): void {
    const look = this.#look
    if (look === null) return
    const { session } = look
    const now = this.#context.now()
    const row = this.#context.live.sessions.get(this.#id)
    const isEnded = session.phase === 'ended'
    const until = isEnded ? (session.ended_at ?? now) : now
    enable(this.#end, !isEnded && row?.phase !== 'draining')
    const { usage } = row ?? session
    const isServedByOther = row !== undefined && row.served !== session.model
    const model = isServedByOther ? `${session.model}, served by ${row.served}` : session.model
    const state = row === undefined ? words(session.phase) : activityWords(row)
    this.#facts.show([
      ['Tenant', session.tenant],
      ['User', session.user ?? '–'],
      ['Model', model],
      ['Plan', session.plan],
      ['Now', isEnded ? `Ended: ${words(session.reason ?? 'unknown')}` : state],
      ['Began', dayAndTime(session.admitted_at)],
      ['Age', clock(until - session.admitted_at)],
      ['Length cap in', isEnded ? '–' : clock(session.ends_at - now)],
      ['Idle cut in', row === undefined ? '–' : idleWords(row, now)],
      ['Answers', whole(usage.responses)],
      ['Tokens', `${whole(usage.input_tokens)} in, ${whole(usage.output_tokens)} out`],
      ['Cost so far', exactDollars(usage.cost_nano_usd)],
      ['Throttled', whole(row?.throttled ?? 0)],
      ['Node', session.node],
      ['Id', session.id],
    ])
  }

  #showBuckets(buckets: readonly Bucket[]): void {
    if (buckets.length === 0)
      return this.#buckets.replaceChildren(h('p', { class: 'note' }, 'Nothing limits it in tokens or money.'))
    this.#buckets.replaceChildren(
      ...buckets.map((bucket) => {
        const meter = new Meter()
        meter.show(bucket, bucketLong(bucket))
        return h('div', { class: 'bucket' }, h('span', { class: 'of' }, bucket.account), meter.root)
      }),
    )
  }

  #showLine(timeline: Timeline | null): void {
    if (timeline === null) return setText(this.#note, 'The time line is not kept any more.')
    const { entries, forgotten } = timeline
    const newest = `${forgotten + entries.length}`
    setText(
      this.#note,
      forgotten === 0
        ? 'Newest first; no content.'
        : `Newest first; no content. ${whole(forgotten)} earlier moments are not kept.`,
    )
    if (newest === this.#lastMoment) return
    this.#lastMoment = newest
    const items = [...entries].reverse().map((entry) => {
      const { what, beside } = momentWords(entry)
      return h(
        'li',
        { 'data-from': entry.from },
        h('time', {}, timeOfDay(entry.at)),
        h('span', { class: 'from' }, entry.from),
        h('span', { class: 'what' }, what),
        h('span', { class: 'beside' }, beside),
      )
    })
    this.#line.replaceChildren(...items)
  }
}
