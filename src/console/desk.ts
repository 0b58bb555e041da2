import { h, setText } from '../widget/dom.ts'
import { pageNow } from '../widget/page-clock.ts'
import { Announcer } from './announcer.ts'
import { type Api, ApiError } from './api.ts'
import type { Context, View } from './context.ts'
import { confirmed } from './dialogs.ts'
import { shortId } from './format.ts'
import { JobsView } from './jobs-view.ts'
import { absorb, emptyLive, type Live, type Part } from './live-store.ts'
import { NodesView } from './nodes-view.ts'
import { OverviewView } from './overview-view.ts'
import { SessionSheet } from './session-sheet.ts'
import { whoWords } from './session-words.ts'
import { SessionsView } from './sessions-view.ts'
import { SpendView } from './spend-view.ts'
import type { StreamEvent } from './sse.ts'
import { type LineState, LiveStream } from './stream.ts'
import { button } from './table.ts'

const LINE: Readonly<Record<LineState, string>> = { connecting: 'Connecting', live: 'Live', lost: 'Connection lost' }

/** The console of an operator who has signed in: its pages, the live stream behind them, and the clock. */
export class Desk {
  readonly header: HTMLElement
  readonly main: HTMLElement
  readonly #api: Api
  readonly #live: Live = emptyLive()
  readonly #views: ReadonlyMap<string, View>
  readonly #links = new Map<string, HTMLAnchorElement>()
  readonly #line: HTMLElement
  readonly #announcer: Announcer
  readonly #stream: LiveStream
  readonly #timer: number
  readonly #left: (why: string) => void
  #view: View | null = null
  #sheet: SessionSheet | null = null
  #changed = new Set<Part>()
  #isNew = true

  /** `left`: the operator signs out, or the key is good no more. */
  constructor(api: Api, status: HTMLElement, left: (why: string) => void) {
    this.#api = api
    this.#announcer = new Announcer(status)
    this.#left = left
    const context = this.#context()
    this.#views = new Map<string, View>([
      ['overview', new OverviewView(context)],
      ['sessions', new SessionsView(context)],
      ['jobs', new JobsView(context)],
      ['spend', new SpendView(context)],
      ['nodes', new NodesView(context)],
    ])
    this.#line = h('span', { class: 'line-state' }, LINE.connecting)
    this.header = this.#makeHeader()
    this.main = h('main', { id: 'main', tabindex: '-1' })
    addEventListener('hashchange', this.#turn)
    this.#show(false)
    this.#stream = new LiveStream(api, {
      began: () => {
        this.#isNew = true
      },
      hear: (events) => this.#hear(events),
      changed: (state) => this.#lineIs(state),
      refused: (error) => this.#left(error.message),
    })
    this.#timer = window.setInterval(() => this.#second(), 1_000)
  }

  close(): void {
    removeEventListener('hashchange', this.#turn)
    clearInterval(this.#timer)
    this.#stream.close()
    this.#view?.leave()
    for (const dialog of document.querySelectorAll('dialog')) dialog.close()
  }

  #context(): Context {
    return {
      api: this.#api,
      live: this.#live,
      now: () => pageNow() + this.#live.ahead,
      say: (text) => this.#say(text),
      open: (session) => this.#open(session),
      end: (session) => void this.#end(session),
      failed: (error) => this.#failed(error),
    }
  }

  #makeHeader(): HTMLElement {
    const nav = h('nav', { 'aria-label': 'Console' })
    for (const [name, { title }] of this.#views) {
      const link = h('a', { href: `#${name}` }, title)
      this.#links.set(name, link)
      nav.append(link)
    }
    const brand = h(
      'a',
      { class: 'brand', href: '/' },
      h('img', { src: '/pages/icon.svg', alt: '', width: '24', height: '24' }),
      'Parley',
    )
    const out = button('Sign out', () => this.#left(''), 'quiet')
    return h('header', { class: 'top' }, brand, nav, h('div', { class: 'state' }, this.#line, out))
  }

  readonly #turn = () => this.#show(true)

  #show(isMoved: boolean): void {
    const name = location.hash.slice(1)
    const key = this.#views.has(name) ? name : 'overview'
    const view = this.#views.get(key) as View
    if (view === this.#view) return
    this.#view?.leave()
    this.#view = view
    for (const [each, link] of this.#links) {
      if (each === key) link.setAttribute('aria-current', 'page')
      else link.removeAttribute('aria-current')
    }
    document.title = `${view.title} · Parley console`
    this.main.replaceChildren(view.root)
    view.enter()
    // Who moves by keyboard goes on at the top of the new page.
    if (isMoved) this.main.focus({ preventScroll: true })
    if (isMoved) scrollTo(0, 0)
  }

  #hear(events: readonly StreamEvent[]): void {
    for (const event of events) {
      // The first round of a stream tells everything: what is not in it is gone.
      if (this.#isNew) {
        this.#isNew = false
        if (this.#live.sessions.size > 0) this.#changed.add('sessions')
        this.#live.sessions.clear()
      }
      const part = absorb(this.#live, event, pageNow())
      if (part !== null) this.#changed.add(part)
      if (part === 'tick') this.#told()
    }
  }

  /** A round is complete. */
  #told(): void {
    const changed = this.#changed
    this.#changed = new Set()
    document.documentElement.dataset.live = ''
    this.#view?.update(changed)
  }

  #second(): void {
    if (document.hidden) return
    this.#view?.second()
    this.#sheet?.second()
  }

  #lineIs(state: LineState): void {
    if (state === 'lost' && this.#line.dataset.state !== 'lost') this.#say('Connection to the server lost.')
    this.#line.dataset.state = state
    setText(this.#line, LINE[state])
  }

  #open(session: string): void {
    this.#sheet = new SessionSheet(session, this.#context(), () => {
      this.#sheet = null
    })
  }

  async #end(session: string): Promise<void> {
    const row = this.#live.sessions.get(session)
    const who = row === undefined ? '' : ` of ${whoWords(row)}`
    const text = `The session${who} ends at once. Its caller is told that the operator has ended it, and cannot come back to it.`
    if (!(await confirmed(`End session ${shortId(session)}?`, text, 'End session'))) return
    try {
      const { ending } = await this.#api.end(session)
      this.#say(ending ? `Session ${shortId(session)} is ending.` : `Session ${shortId(session)} was over already.`)
    } catch (error) {
      this.#say(`Session ${shortId(session)} was not ended: ${this.#failed(error)}`)
    }
  }

  #failed(error: unknown): string {
    if (!(error instanceof ApiError)) return 'Something went wrong.'
    if (error.isKey) this.#left(error.message)
    return error.message
  }

  #say(text: string): void {
    this.#announcer.say(text)
  }
}
