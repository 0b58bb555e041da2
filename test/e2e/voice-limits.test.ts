import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { openChromium, speaking } from '../support/chromium.ts'
import { demo, Parley, TempFolder } from '../support/parley.ts'
import { VoicePage } from '../support/voice-page.ts'
import { VoiceTab } from '../support/voice-tab.ts'
import { writeWav } from '../support/wav-file.ts'
import { buildWidget } from '../support/widget-build.ts'

const session = { type: 'realtime', model: 'gpt-realtime' }

describe('limits, as a person at a page meets them', () => {
  const stack = new AsyncDisposableStack()
  let browser: Browser
  beforeAll(async () => {
    buildWidget()
    const folder = stack.use(new TempFolder())
    const quiet = Buffer.concat([silence(5_000), pcm(speech.order), silence(60_000)])
    browser = await openChromium(speaking(writeWav(join(folder.path, 'once.wav'), quiet)))
    stack.defer(() => browser.close())
  })
  afterAll(() => stack.disposeAsync())

  /** A page at a Parley whose only plan has these clocks. */
  async function at(plan: object) {
    const rest = new AsyncDisposableStack()
    const parley = rest.use(await Parley.start({ policy: { plans: { default: plan } } }))
    const page = rest.use(await VoicePage.start({ parley: parley.url, key: demo.key }))
    return {
      parley,
      page,
      tab: rest.use(await VoiceTab.open(browser, page)),
      [Symbol.asyncDispose]: () => rest.disposeAsync(),
    }
  }

  test('S3 silence is warned of with a countdown, which speech takes back; then the conversation ends', async () => {
    await using here = await at({ session: { idle: { limit: '6s', warnBefore: '4500ms' } } })
    const { tab } = here
    await tab.talk()
    await tab.shows(/Are you still there\? Ends in [45]\ss/)
    // Five seconds in, somebody speaks, and is answered; then nobody does.
    await tab.heard('parley.idle_over')
    await tab.heard('response.done')
    await tab.shows(/Are you still there\? Ends in 2\ss/)
    expect(await tab.ended()).toBe('idle_timeout')
    await tab.shows('Ended after a silence')
    await tab.talk('Start a new conversation')
  })

  test('S2 the last seconds are counted down, then time is up, whatever is being said', async () => {
    await using here = await at({ session: { maxDuration: '6s', warnings: ['3s'] } })
    const { tab } = here
    await tab.talk()
    await tab.shows(/^0:0\d left$/)
    await tab.write('speak for 60 s')
    await tab.shows('This conversation ends in 0:02')
    expect(await tab.ended()).toBe('session_expired')
    await tab.shows('Time is up')
  })

  test('L5 a budget that is spent ends it, and the page offers no new conversation that could not be paid for', async () => {
    await using here = await at({ session: {} })
    const { tab, page } = here
    page.order = { session, parley: { limits: { budget: '$0.02' } } }
    await tab.talk()
    await tab.write('speak for 60 s')
    await tab.heard('response.done')
    await tab.write('speak for 60 s')
    expect(await tab.ended()).toBe('budget_spent')
    await tab.shows('The budget is used up')
    expect(await tab.button(/conversation|again/).count()).toBe(0)
  })

  test('L3 an answer that has to wait says so', async () => {
    await using here = await at({
      limits: { session: { tokensPerMinute: 6_000 } },
      throttle: { maxDelay: '60s' },
      session: { idle: null },
    })
    const { tab } = here
    await tab.talk()
    await tab.write('speak for 60 s')
    await tab.heard('response.done')
    await tab.write('speak for 60 s')
    await tab.shows(/The answer comes in \d+\ss|Too many requests/)
  })

  test('W3 a secret that is used up, and a backend that has none', async () => {
    await using here = await at({})
    const { tab, page } = here
    page.secret = `ek_${'a'.repeat(43)}`
    await tab.button('Write instead').click()
    expect(await tab.ended()).toBe('secret_refused')
    await tab.shows('The permission is no longer valid')
    page.secret = null
    page.order = null
    await tab.button('Start a new conversation').click()
    await tab.shows('No access right now')
    // And once it has one again, all is well.
    page.order = { session }
    await tab.button('Try again').click()
    await tab.phase('live')
  })

  test('W3 a key in place of a secret goes nowhere', async () => {
    await using here = await at({})
    const { tab, page } = here
    page.secret = demo.key
    await tab.button('Write instead').click()
    expect(await tab.ended()).toBe('secret_unavailable')
    expect(tab.sent).toEqual([])
    const trouble = (await tab.told()).find(({ type }) => type === 'parley-trouble')
    expect(JSON.stringify(trouble)).not.toContain(demo.key)
  })

  test('L1 all lines are busy: the wait is told, and trying again before it is over is not possible', async () => {
    await using here = await at({ limits: { user: { startsPerMinute: 1 } } })
    const { tab, page } = here
    page.order = { session, parley: { user: 'u' } }
    await tab.talk('Write instead')
    await tab.button('End the conversation').click()
    await tab.button('Start a new conversation').click()
    expect(await tab.ended()).toBe('rate_limited')
    await tab.shows(/^Try again in \d+\ss$/)
    expect(await tab.button(/Try again in/).getAttribute('aria-disabled')).toBe('true')
  })

  test('S7 an operator who ends it, and a node that shuts down', async () => {
    await using here = await at({})
    const { tab, parley } = here
    await tab.talk('Write instead')
    const introduction = tab.received.find(({ type }) => type === 'parley.session')
    const headers = { Authorization: `Bearer ${demo.key}` }
    await fetch(`${parley.url}/v1/sessions/${introduction?.session_id}/end`, { method: 'POST', headers })
    expect(await tab.ended()).toBe('ended_by_operator')
    await tab.shows('Ended by the operator')
  })
})

describe('a page without a microphone', () => {
  const stack = new AsyncDisposableStack()
  let page: VoicePage
  beforeAll(async () => {
    buildWidget()
    const parley = stack.use(await Parley.start())
    page = stack.use(await VoicePage.start({ parley: parley.url, key: demo.key }))
  })
  afterAll(() => stack.disposeAsync())

  test.each([
    [
      'microphone_denied',
      'The microphone is blocked',
      ['--use-fake-device-for-media-stream', '--deny-permission-prompts'],
    ],
    ['microphone_missing', 'No microphone found', ['--use-fake-ui-for-media-stream']],
  ])('V1 %s is told, and the conversation can be written', async (cause, title, flags) => {
    await using browser = await openChromium(flags)
    await using tab = await VoiceTab.open(browser, page)
    await tab.button('Start talking').click()
    expect(await tab.ended()).toBe(cause)
    await tab.shows(title)
    await tab.talk('Write instead')
    await tab.write('Hello')
    await tab.shows(/It read 5 characters/)
  })
})
