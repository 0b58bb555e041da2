import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import type { Browser, Page as Tab } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { speech } from '../../fixtures/index.ts'
import { openChromium } from '../support/chromium.ts'
import { PageServer } from '../support/page-server.ts'
import { demo, Parley } from '../support/parley.ts'
import type { CallOrder, Page } from './pages/openai-page.ts'

const ENTRY = fileURLToPath(new URL('./pages/openai-page.ts', import.meta.url))

/** The page's own functions, seen from inside it. */
type Inside = typeof globalThis & { page: Page }

describe("the openai package's browser client, unmodified, in Chromium", () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let pages: PageServer
  let browser: Browser
  let baseURL: string
  beforeAll(async () => {
    pages = stack.use(await PageServer.start(ENTRY, { 'speech.wav': readFileSync(speech.weather.file) }))
    parley = stack.use(
      await Parley.start({
        policy: {
          listeners: [{ port: 0 }, { port: 0, tls: 'self-signed' }],
          door: { origins: [pages.at('localhost')] },
        },
      }),
    )
    baseURL = `${(parley.running.urls[1] as string).replace('127.0.0.1', 'localhost')}/v1`
    browser = await openChromium()
    stack.defer(() => browser.close())
  })
  afterAll(() => stack.disposeAsync())

  /** What the application's own backend does for its page. */
  async function mint(): Promise<string> {
    const client = new OpenAI({ apiKey: demo.key, baseURL: `${parley.url}/v1` })
    const session = { type: 'realtime', model: 'gpt-realtime', instructions: 'Sell shoes.' } as const
    return (await client.realtime.clientSecrets.create({ session })).value
  }

  /** A tab with the page loaded, and everything that any server has told it over WebSockets. */
  async function open(host: 'localhost' | '127.0.0.1'): Promise<{ tab: Tab; received: string[] }> {
    const tab = await browser.newPage()
    const received: string[] = []
    const wire = await tab.context().newCDPSession(tab)
    await wire.send('Network.enable')
    wire.on('Network.webSocketHandshakeResponseReceived', ({ response }) => {
      received.push(response.headersText ?? JSON.stringify(response.headers))
    })
    wire.on('Network.webSocketFrameReceived', ({ response }) => {
      received.push(response.payloadData)
    })
    await tab.goto(pages.at(host))
    await tab.waitForFunction(() => 'page' in globalThis)
    return { tab, received }
  }

  const converse = (tab: Tab, order: CallOrder) => tab.evaluate((o) => (globalThis as Inside).page.converse(o), order)
  const turnedAway = (tab: Tab, order: CallOrder) =>
    tab.evaluate((o) => (globalThis as Inside).page.turnedAway(o), order)

  test('W1 a spoken conversation over a client secret, whose fields stay locked and whose value is never echoed', async () => {
    const { tab, received } = await open('localhost')
    const secret = await mint()
    const report = await converse(tab, { baseURL, secret })
    expect(report.protocol).toBe('realtime')
    expect(report.status).toBe('completed')
    // More than a second of speech came back.
    expect(report.heard).toBeGreaterThan(48_000)
    expect(report.types[0]).toBe('session.created')
    expect(report.types).toContain('input_audio_buffer.speech_started')
    expect(report.locked).toEqual({ code: 'invalid_value', param: 'session.instructions', eventId: 'mine' })
    expect(received.some((text) => /sec-websocket-protocol: realtime/i.test(text))).toBe(true)
    expect(received.some((text) => text.includes('Sell shoes.'))).toBe(true)
    expect(received.filter((text) => text.includes(secret) || text.includes('insecure-api-key'))).toEqual([])

    // The same secret a second time.
    const refusal = await turnedAway(tab, { baseURL, secret })
    expect(refusal).toMatchObject({ code: 'invalid_api_key', close: 4001 })
    await tab.close()
  })

  test('W3 a page of another origin gets nowhere, and does not use the secret up', async () => {
    const secret = await mint()
    const stranger = await open('127.0.0.1')
    // No upgrade, so no event: all that a browser may know is that the connection failed.
    expect(await turnedAway(stranger.tab, { baseURL, secret })).toMatchObject({ code: null, close: 1006 })
    await stranger.tab.close()
    const { tab } = await open('localhost')
    expect((await converse(tab, { baseURL, secret })).status).toBe('completed')
    await tab.close()
  })
})
