import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { openChromium, speaking } from '../support/chromium.ts'
import { CutLine } from '../support/cut-line.ts'
import { demo, Parley, TempFolder } from '../support/parley.ts'
import { VoicePage } from '../support/voice-page.ts'
import { VoiceTab } from '../support/voice-tab.ts'
import { writeWav } from '../support/wav-file.ts'
import { asPlayed, atRate, audible, correlation, power, sharpest } from '../support/waves.ts'
import { buildWidget } from '../support/widget-build.ts'

/** Pieces in which played sound is compared, ms. */
const PIECE_MS = 50

describe('a voice conversation in a page', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let folder: TempFolder
  let browser: Browser
  beforeAll(async () => {
    buildWidget()
    folder = stack.use(new TempFolder())
    parley = stack.use(await Parley.start())
    // Nobody speaks at first, so that a conversation can stand before; and when all is said the room is quiet.
    const once = Buffer.concat([silence(1_500), pcm(speech.weather), silence(60_000)])
    browser = await openChromium(speaking(writeWav(join(folder.path, 'once.wav'), once)))
    stack.defer(() => browser.close())
  })
  afterAll(() => stack.disposeAsync())

  test('V1 a spoken turn is heard and answered, and the answer is played as it was sent: no gap, no click', async () => {
    await using page = await VoicePage.start({ parley: parley.url, key: demo.key })
    await using tab = await VoiceTab.open(browser, page)
    await tab.talk()
    await tab.shows('Hearing you')
    await tab.heard('response.done')
    await tab.shows('Speaking')
    await tab.shows(/It heard .* s of speech and says it back/)
    await tab.quiet()

    const { rate, samples } = await tab.recording('output')
    const length = Math.round((rate * PIECE_MS) / 1_000)
    // One shift for all of it: had anything been left out or put in, what follows would not fit any more.
    const { meant, shift } = asPlayed(samples, tab.answers(), rate, length)
    expect(meant.length).toBeGreaterThan(2 * rate)
    for (let piece = 0; piece + length <= meant.length; piece += length) {
      const part = meant.subarray(piece, piece + length)
      if (power(part) < 0.005) continue
      const what = `${Math.round((piece / rate) * 1_000)} ms`
      expect(correlation(samples, shift + piece, part), what).toBeGreaterThan(0.97)
      expect(power(samples.subarray(shift + piece, shift + piece + length)) / power(part), what).toBeCloseTo(1, 1)
    }
    // The same wave met at other moments is a little sharper or softer; a click is several times as sharp.
    expect(sharpest(samples)).toBeLessThan(sharpest(meant) * 1.3)
    expect(await tab.rejected()).toEqual([])
  })

  test('V1 speaking over an answer stops it, and the provider keeps what was really heard', async () => {
    await using page = await VoicePage.start({ parley: parley.url, key: demo.key })
    await using tab = await VoiceTab.open(browser, page)
    await tab.talk()
    // Before anything is said into the microphone, a long answer begins.
    await tab.write('speak for 40 s')
    await tab.heard('input_audio_buffer.speech_started')
    await tab.heard('conversation.item.truncated')
    await tab.shows('interrupted')

    const told = tab.sent.filter((event) => event.type === 'conversation.item.truncate')
    expect(told).toHaveLength(1)
    const { rate, samples } = await tab.recording('output')
    const played = audible(samples) ?? { from: 0, to: 0 }
    const heardMs = ((played.to - played.from) / rate) * 1_000
    // Speech stopped where the provider was told, but for what the sound card still held.
    expect(Number(told[0]?.audio_end_ms)).toBeGreaterThan(100)
    expect(Math.abs(heardMs - Number(told[0]?.audio_end_ms))).toBeLessThan(150)
    expect(sharpest(samples.subarray(0, played.to + rate / 10))).toBeLessThan(
      sharpest(atRate(tab.answers(), rate)) * 1.5,
    )
    // And the next turn is answered as ever.
    await tab.shows(/It heard .* s of speech/)
    expect(tab.received.filter((event) => event.type === 'error')).toEqual([])
  })

  test('S5 a network that is gone for 10 s in the middle of an answer: nothing is lost', async () => {
    await using line = await CutLine.open(parley.url)
    await using page = await VoicePage.start({ parley: parley.url, door: line.url, key: demo.key })
    await using tab = await VoiceTab.open(browser, page)
    await tab.talk()
    await tab.heard('response.done')
    await tab.quiet()
    const before = tab.received.length
    const mark = (await tab.recording('output')).samples.length
    await tab.write('speak for 30 s')
    await tab.heard('response.output_audio.delta', tab.received.filter(isSound).length + 40)
    const connections = parley.loopback.upgrades.length
    const back = line.cutFor(10_000)
    await tab.shows('Connection lost. Reconnecting')
    await back
    await tab.shows('Connected again')
    await tab.heard('response.done', 2)
    await tab.quiet()

    // Everything of the answer came once, in order, over two connections, from one upstream.
    const answer = tab.received.slice(before).filter(isSound)
    expect(parley.loopback.upgrades.length).toBe(connections)
    expect(new Set(answer.map((event) => event.event_id)).size).toBe(answer.length)
    const bytes = answer.reduce((sum, event) => sum + Buffer.from(String(event.delta), 'base64').length, 0)
    expect(bytes).toBe(30 * 48_000)
    // And was played: 30 s of a hum that swells twice a second, wherever the pause was.
    const { rate, samples } = await tab.recording('output')
    const hum = Buffer.concat(answer.map((event) => Buffer.from(String(event.delta), 'base64')))
    const meant = atRate(new Int16Array(hum.buffer.slice(hum.byteOffset, hum.byteOffset + hum.length)), rate)
    const after = samples.subarray(mark)
    expect(energy(after) / energy(meant)).toBeGreaterThan(0.98)
    expect(energy(after) / energy(meant)).toBeLessThan(1.02)
  })

  test('V1 without a microphone a conversation is written, and answered in writing', async () => {
    await using page = await VoicePage.start({ parley: parley.url, key: demo.key })
    await using tab = await VoiceTab.open(browser, page)
    await tab.talk('Write instead')
    await tab.write('Good morning!')
    await tab.shows('This is the loopback provider. It read 13 characters.')
    expect(tab.answers().length).toBe(0)
    await tab.shows(/\$0\.\d{4}/)
    await tab.button('End the conversation').click()
    await tab.shows('You ended the conversation.')
    expect((await tab.recording('input')).samples.length).toBe(0)
  })

  test('V1 all of it by keyboard', async () => {
    await using page = await VoicePage.start({ parley: parley.url, key: demo.key })
    await using tab = await VoiceTab.open(browser, page)
    const { keyboard } = tab.tab
    const focused = () => tab.focused()
    await keyboard.press('Tab')
    expect(await focused()).toBe('Start talking')
    await keyboard.press('Enter')
    await tab.phase('live')
    expect(await focused()).toBe('Mute the microphone')
    await keyboard.press('m')
    await tab.shows('Microphone muted')
    await keyboard.press('m')
    await tab.shows('Listening')
    await keyboard.press('Shift+Tab')
    await keyboard.press('Shift+Tab')
    expect(await focused()).toBe('Or write a message')
    await keyboard.type('speak for 30 s')
    await keyboard.press('Enter')
    await tab.shows('Speaking')
    await keyboard.press('Escape')
    await tab.shows('interrupted')
    await keyboard.press('Tab')
    await keyboard.press('Tab')
    while ((await focused()) !== 'End the conversation') await keyboard.press('Tab')
    await keyboard.press('Enter')
    expect(await tab.ended()).toBe('caller_hung_up')
    expect(await focused()).toBe('Start a new conversation')
  })
})

const isSound = (event: { type: string }) => event.type === 'response.output_audio.delta'
const energy = (samples: Float32Array) => samples.reduce((sum, sample) => sum + sample * sample, 0)
