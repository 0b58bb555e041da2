import type { Browser, Page as Tab } from 'playwright-core'
import type { CallState } from '../../src/widget/call-state.ts'
import type { EndCause } from '../../src/widget/endings.ts'
import type { VoicePage } from './voice-page.ts'

type Loose = Record<string, unknown> & { type: string }

/** What the page's script has recorded. */
interface Inside {
  page: {
    recording(side: 'output' | 'input'): { rate: number; frame: number; samples: string }
    told: { type: string; detail: unknown }[]
    rejected: string[]
  }
}

/** A tab with a widget in it, and everything that went over its WebSockets. */
export class VoiceTab implements AsyncDisposable {
  readonly tab: Tab
  /** Events that the server sent, in order, over all connections. */
  readonly received: Loose[] = []
  readonly sent: Loose[] = []

  private constructor(tab: Tab) {
    this.tab = tab
  }

  static async open(browser: Browser, page: VoicePage): Promise<VoiceTab> {
    const tab = new VoiceTab(await browser.newPage())
    const wire = await tab.tab.context().newCDPSession(tab.tab)
    await wire.send('Network.enable')
    wire.on(
      'Network.webSocketFrameReceived',
      ({ response }) => void tab.received.push(JSON.parse(response.payloadData)),
    )
    wire.on('Network.webSocketFrameSent', ({ response }) => {
      // Close frames are told as well, and are no JSON.
      if (response.payloadData.startsWith('{')) tab.sent.push(JSON.parse(response.payloadData))
    })
    await tab.tab.goto(page.url)
    await tab.tab.waitForFunction(() => widget().phase === 'resting')
    return tab
  }

  /** By what it is called, as people and their screen readers find it. */
  button(name: string | RegExp) {
    return this.tab.getByRole('button', { name })
  }

  /** A conversation that stands. */
  async talk(button = 'Start talking'): Promise<void> {
    await this.button(button).click()
    await this.phase('live')
  }

  async write(text: string): Promise<void> {
    await this.tab.getByRole('textbox').fill(text)
    await this.button('Send').click()
  }

  phase(phase: CallState['phase']): Promise<unknown> {
    return this.tab.waitForFunction((wanted) => widget().phase === wanted, phase)
  }

  /** Resolves with the reason once the conversation is over. */
  async ended(): Promise<EndCause> {
    await this.phase('ended')
    return (await this.tab.evaluate(() => widget().cause)) as EndCause
  }

  /** Text that is to be seen somewhere in the widget. */
  async shows(text: string | RegExp): Promise<void> {
    await this.tab.locator('parley-voice .card').getByText(text).first().waitFor()
  }

  /** The first event of this type that the server sends from now on, or has sent. */
  async heard(type: string, count = 1): Promise<void> {
    await this.tab.waitForFunction(
      ([wanted, n]) =>
        (globalThis as never as Inside).page.told.filter(
          ({ type: kind, detail }) => kind === 'parley-event' && (detail as Loose).type === wanted,
        ).length >= (n as number),
      [type, count],
    )
  }

  /** The answer has been played to its end. */
  async quiet(): Promise<void> {
    await this.tab.waitForFunction(
      () => widget().shadowRoot?.querySelector('.card')?.getAttribute('data-mood') === 'listening',
    )
  }

  async recording(side: 'output' | 'input'): Promise<{ rate: number; frame: number; samples: Float32Array }> {
    const { rate, frame, samples } = await this.tab.evaluate(
      (s) => (globalThis as never as Inside).page.recording(s),
      side,
    )
    const bytes = Buffer.from(samples, 'base64')
    return {
      rate,
      frame,
      samples: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
    }
  }

  told(): Promise<Inside['page']['told']> {
    return this.tab.evaluate(() => (globalThis as never as Inside).page.told)
  }

  /** The name of what has the focus inside the widget. */
  focused(): Promise<string> {
    return this.tab.evaluate(() => focused())
  }

  /** What the page's policy has refused. */
  rejected(): Promise<string[]> {
    return this.tab.evaluate(() => (globalThis as never as Inside).page.rejected)
  }

  /** Sound of the answers as the server sent it, 24 kHz. */
  answers(): Int16Array {
    const deltas = this.received.filter((event) => event.type === 'response.output_audio.delta')
    const bytes = Buffer.concat(deltas.map((event) => Buffer.from(String(event.delta), 'base64')))
    return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tab.close()
  }
}

/** The page's own, for what runs inside it. */
declare function focused(): string
declare function widget(): {
  phase: string
  cause: string | null
  shadowRoot: { querySelector(s: string): { getAttribute(n: string): string | null } | null } | null
}
