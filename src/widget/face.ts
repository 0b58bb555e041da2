import { h, icon, setIcon, setText } from './dom.ts'
import type { EndingLook, Look } from './look.ts'
import { Meter } from './meter.ts'
import type { Strings } from './strings.ts'
import { CSS } from './styles.ts'
import type { Line } from './transcript.ts'

export interface FaceListener {
  start(isSpoken: boolean): void
  mute(): void
  interrupt(): void
  end(): void
  say(text: string): void
  useMicrophone(deviceId: string): void
}

/** Near the end of the transcript it follows what is new, CSS pixels. */
const FOLLOWS_WITHIN = 48
const BADGES = { good: 'check', plain: 'info', bad: 'alert' } as const

/** All that is seen. It is made once; `show` changes what differs. */
export class Face {
  readonly meter: Meter
  readonly #root: ShadowRoot
  readonly #listener: FaceListener
  #strings: Strings
  #look: Look | null = null

  readonly #heading = h('p', { class: 'heading', part: 'heading' })
  readonly #statusText = h('span')
  readonly #status = h('p', { class: 'status' }, h('span', { class: 'dot' }), this.#statusText)
  readonly #time = h('div')
  readonly #cost = h('div')
  readonly #facts = h('div', { class: 'facts', part: 'facts' }, this.#time, this.#cost)
  readonly #stage = h('div', { class: 'stage', part: 'meter' }, h('canvas', { 'aria-hidden': 'true' }))
  readonly #banner = h('p', { class: 'banner', part: 'banner' })
  readonly #lines = h('ol', { class: 'lines', part: 'transcript', tabindex: '0' })
  readonly #items = new Map<string, { element: HTMLLIElement; line: Line | null }>()

  readonly #badgeIcon = icon('microphone')
  readonly #badge = h('div', { class: 'badge' }, this.#badgeIcon)
  readonly #title = h('p', { class: 'title' })
  readonly #text = h('p', { class: 'text' })
  readonly #summary = h('p', { class: 'summary' })
  readonly #main = h('button', { class: 'main', part: 'start', type: 'button' })
  readonly #writeInstead = h('button', { class: 'link', type: 'button' })
  readonly #fine = h('p', { class: 'fine' })
  readonly #hero = h('div', { class: 'hero' }, this.#badge, this.#title, this.#text, this.#summary)

  readonly #input = h('input', { type: 'text', maxlength: '4000', autocomplete: 'off', enterkeyhint: 'send' })
  readonly #send = h('button', { class: 'round send', type: 'submit' }, icon('send'))
  readonly #write = h('form', { class: 'write' }, this.#input, this.#send)
  readonly #muteIcon = icon('microphone')
  readonly #mute = h('button', { class: 'round mute', part: 'mute', type: 'button' }, this.#muteIcon)
  readonly #interrupt = h('button', { class: 'round stop', part: 'interrupt', type: 'button' }, icon('stop'))
  readonly #end = h('button', { class: 'round end', part: 'end', type: 'button' }, icon('end'))
  readonly #deviceName = h('span', { class: 'vh' })
  readonly #devices = h('select')
  readonly #device = h('label', { class: 'device' }, this.#deviceName, this.#devices)
  readonly #bar = h('div', { class: 'bar' }, this.#mute, this.#interrupt, this.#device, this.#end)
  readonly #polite = h('div', { class: 'vh', role: 'status' })
  readonly #urgent = h('div', { class: 'vh', role: 'alert' })
  readonly #head = h('div', { class: 'head', part: 'head' })
  readonly #card = h('section', { class: 'card', part: 'card' })

  constructor(root: ShadowRoot, strings: Strings, listener: FaceListener) {
    this.#root = root
    this.#strings = strings
    this.#listener = listener
    this.meter = new Meter(this.#stage.firstChild as HTMLCanvasElement)
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(CSS)
    root.adoptedStyleSheets = [sheet]
    const actions = h('div', { class: 'actions' }, this.#main, this.#writeInstead)
    this.#hero.append(actions, this.#fine)
    const titles = h('div', { class: 'titles' }, this.#heading, this.#status)
    this.#head.append(titles, this.#facts)
    this.#card.append(this.#head, this.#stage, this.#banner, this.#lines, this.#hero, this.#write, this.#bar)
    root.append(this.#card, this.#polite, this.#urgent)
    this.#listen()
    this.name(strings)
    this.showDevices([], null)
  }

  /** Other words. */
  name(strings: Strings): void {
    this.#strings = strings
    const label = (element: Element, text: string) => {
      element.setAttribute('aria-label', text)
      element.setAttribute('title', text)
    }
    this.#card.setAttribute('aria-label', strings.heading)
    setText(this.#heading, strings.heading)
    this.#lines.setAttribute('aria-label', strings.transcript)
    label(this.#send, strings.send)
    label(this.#interrupt, strings.interrupt)
    label(this.#end, strings.end)
    setText(this.#deviceName, strings.devices)
    setText(this.#writeInstead, strings.writeInstead)
    setText(this.#fine, strings.privacy)
    for (const { element } of this.#items.values()) element.remove()
    this.#items.clear()
  }

  show(look: Look): void {
    const before = this.#look
    this.#look = look
    const { screen, ending } = look
    const isTalking = screen === 'talking'
    this.#card.dataset.mood = look.mood
    this.#card.dataset.screen = screen
    this.#head.hidden = screen === 'resting'
    this.#status.hidden = !isTalking
    setText(this.#statusText, look.status)
    setText(this.#time, look.time)
    this.#time.classList.toggle('short', look.isTimeShort)
    setText(this.#cost, look.cost)
    this.#stage.hidden = !isTalking || !look.isSpoken
    this.#banner.hidden = look.banner === null
    setText(this.#banner, look.banner?.text ?? '')
    this.#banner.classList.toggle('urgent', look.banner?.tone === 'urgent')
    this.#showLines(look.lines)
    this.#hero.hidden = isTalking
    if (ending !== null) this.#showEnding(ending)
    else if (!isTalking) this.#showRest()
    this.#write.hidden = !isTalking
    this.#input.placeholder = look.isSpoken ? this.#strings.placeholderSpoken : this.#strings.placeholder
    this.#input.setAttribute('aria-label', this.#input.placeholder)
    this.#send.disabled = !look.canWrite
    this.#bar.hidden = !isTalking
    this.#showMute(look)
    this.#interrupt.hidden = !look.canInterrupt
    this.#device.hidden = !look.canChoose || this.#devices.options.length < 2
    this.#announce(look, before)
    this.#moveFocus(look, before)
  }

  /** To what is most likely wanted next. */
  focus(): void {
    if (this.#look?.screen === 'talking') (this.#look.isSpoken ? this.#mute : this.#input).focus()
    else if (!this.#main.hidden) this.#main.focus()
    else {
      this.#title.tabIndex = -1
      this.#title.focus()
    }
  }

  /** Microphones to choose from; one alone is no choice. */
  showDevices(devices: readonly { deviceId: string; label: string }[], chosen: string | null): void {
    this.#devices.replaceChildren(
      ...devices.map(({ deviceId, label }) => {
        const option = h('option', { value: deviceId, selected: deviceId === chosen }, label)
        return option
      }),
    )
    this.#device.hidden = this.#look?.canChoose !== true || devices.length < 2
  }

  // ---- what is pressed ----

  #listen(): void {
    const listener = this.#listener
    this.#main.addEventListener('click', () => {
      if (this.#main.getAttribute('aria-disabled') === 'true') return
      // Again as it was the last time, in speech or in writing.
      listener.start(this.#look?.screen !== 'ended' || this.#look.isSpoken)
    })
    this.#writeInstead.addEventListener('click', () => listener.start(false))
    this.#mute.addEventListener('click', () => listener.mute())
    this.#interrupt.addEventListener('click', () => listener.interrupt())
    this.#end.addEventListener('click', () => listener.end())
    this.#devices.addEventListener('change', () => listener.useMicrophone(this.#devices.value))
    this.#write.addEventListener('submit', (event) => {
      event.preventDefault()
      if (this.#send.disabled || this.#input.value.trim() === '') return
      listener.say(this.#input.value)
      this.#input.value = ''
    })
    this.#card.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#look?.canInterrupt === true) return listener.interrupt()
      const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey
      const isTyping = event.target === this.#input || event.target === this.#devices
      if (event.key.toLowerCase() === 'm' && isPlain && !isTyping && this.#look?.canMute === true) listener.mute()
    })
  }

  // ---- parts ----

  #showRest(): void {
    this.#badge.className = 'badge'
    setIcon(this.#badgeIcon, 'microphone')
    setText(this.#title, this.#strings.heading)
    setText(this.#text, this.#strings.intro)
    this.#summary.hidden = true
    this.#fine.hidden = false
    this.#main.hidden = false
    this.#main.removeAttribute('aria-disabled')
    setText(this.#main, this.#strings.start)
    this.#writeInstead.hidden = false
    setText(this.#writeInstead, this.#strings.startWritten)
  }

  #showEnding(ending: EndingLook): void {
    this.#badge.className = `badge ${ending.tone}`
    setIcon(this.#badgeIcon, ending.next === 'fix_microphone' ? 'muted' : BADGES[ending.tone])
    setText(this.#title, ending.title)
    setText(this.#text, ending.text)
    this.#summary.hidden = ending.summary === ''
    setText(this.#summary, ending.summary)
    this.#fine.hidden = true
    this.#main.hidden = ending.action === null
    setText(this.#main, ending.action?.text ?? '')
    this.#main.setAttribute('aria-disabled', String(ending.action?.isReady === false))
    this.#writeInstead.hidden = ending.next !== 'fix_microphone'
    setText(this.#writeInstead, this.#strings.writeInstead)
  }

  #showMute({ canMute, isMuted }: Look): void {
    this.#mute.hidden = !canMute
    this.#mute.setAttribute('aria-pressed', String(isMuted))
    const text = isMuted ? this.#strings.unmute : this.#strings.mute
    // The name stays the same while it is pressed or not, as screen readers expect; only the hint differs.
    this.#mute.setAttribute('aria-label', this.#strings.mute)
    this.#mute.setAttribute('title', text)
    setIcon(this.#muteIcon, isMuted ? 'muted' : 'microphone')
  }

  #showLines(lines: readonly Line[]): void {
    const list = this.#lines
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < FOLLOWS_WITHIN
    const ids = new Set(lines.map(({ id }) => id))
    for (const [id, { element }] of this.#items) {
      if (ids.has(id)) continue
      element.remove()
      this.#items.delete(id)
    }
    for (const line of lines) {
      let item = this.#items.get(line.id)
      if (item === undefined) {
        item = { element: h('li'), line: null }
        this.#items.set(line.id, item)
        list.append(item.element)
      }
      if (item.line !== line) this.#fillLine(item.element, line)
      item.line = line
    }
    list.hidden = lines.length === 0
    if (isAtEnd) list.scrollTop = list.scrollHeight
  }

  #fillLine(element: HTMLLIElement, line: Line): void {
    const { you, assistant, spoken, interrupted } = this.#strings
    const isQuiet = line.text === '' && line.isDone
    element.className = `line ${line.who}${isQuiet ? ' quiet' : ''}`
    element.setAttribute('part', `line line-${line.who}`)
    const who = h('span', { class: 'vh' }, `${line.who === 'user' ? you : assistant}: `)
    const dots = () => h('span', { class: 'wait', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'))
    const said = line.text !== '' ? h('span', { dir: 'auto' }, line.text) : line.isDone ? spoken : dots()
    const mark = line.isInterrupted ? [h('small', {}, interrupted)] : []
    element.replaceChildren(who, said, ...mark)
  }

  // ---- for those who do not see it ----

  #announce(look: Look, before: Look | null): void {
    const { ending, banner } = look
    if (ending !== null && before?.ending?.cause !== ending.cause) {
      setText(ending.tone === 'bad' ? this.#urgent : this.#polite, `${ending.title}. ${ending.text}`)
    } else if (banner !== null && banner.tone === 'urgent' && before?.banner?.tone !== 'urgent') {
      // Once, not with every second that passes.
      setText(this.#urgent, banner.text)
    } else if (look.status !== before?.status && look.screen === 'talking' && CALLED_OUT.has(look.mood)) {
      setText(this.#polite, look.status)
    }
    // What is spoken is heard anyway; two voices at once help nobody.
    const last = look.lines.at(-1)
    if (last?.who === 'assistant' && last.how === 'written' && last.isDone && this.#items.get(last.id) !== undefined) {
      setText(this.#polite, `${this.#strings.assistant}: ${last.text}`)
    }
  }

  /** A button that goes away while it has the focus hands it to what comes in its place. */
  #moveFocus(look: Look, before: Look | null): void {
    if (before === null || before.screen === look.screen || this.#root.host.matches(':focus-within') === false) return
    this.focus()
  }
}

/** Moods whose beginning is worth a word; who speaks when is heard. */
const CALLED_OUT: ReadonlySet<string> = new Set(['waiting', 'listening', 'muted', 'trouble'])
