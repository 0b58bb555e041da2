import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { openChromium, speaking } from '../../test/support/chromium.ts'
import { VoicePage } from '../../test/support/voice-page.ts'
import { VoiceTab } from '../../test/support/voice-tab.ts'
import { writeWav } from '../../test/support/wav-file.ts'
import { buildWidget } from '../../test/support/widget-build.ts'
import { Listener, LOUD } from '../listener.ts'
import { parley } from '../relays/parley.ts'
import { fixed, median, type Report } from '../report.ts'
import type { Stage } from '../stage.ts'

const TURNS = 20
/** Between two turns, ms: room for the answer. */
const PAUSE_MS = 2_000
const MOST_MS = 150

/**
 * How long after the last sound of speech the answer begins to be played, beyond what the provider takes itself: through
 * the microphone's worklet, Parley, Parley again, the jitter buffer. Both ends are read off one clock, the sound card's.
 */
export async function mouthToEar(stage: Stage): Promise<Report> {
  await using stack = new AsyncDisposableStack()
  buildWidget()
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-voice-'))
  stack.defer(() => rmSync(folder, { recursive: true, force: true }))
  const turns = stage.settings.isQuick ? 5 : TURNS
  const turn = Buffer.concat([silence(PAUSE_MS), pcm(speech.weather)])
  const wav = writeWav(join(folder, 'turns.wav'), Buffer.concat([...Array(turns).fill(turn), silence(10_000)]))
  const listener = stack.use(await Listener.start())
  const relay = stack.use(await parley.start({ upstreamPort: listener.port, folder, parleyNodeOptions: [] }))
  const url = `http://127.0.0.1:${relay.place.port}`
  const key = String(relay.place.headers.Authorization).replace('Bearer ', '')
  const page = stack.use(await VoicePage.start({ parley: url, key }))
  const session = { type: 'realtime', model: 'gpt-realtime' }
  page.order = { session, parley: { origins: [new URL(page.url).origin] } }
  const browser = await openChromium(speaking(wav))
  stack.defer(() => browser.close())
  const tab = stack.use(await VoiceTab.open(browser, page))
  await tab.talk()
  await listener.answered(turns)
  await tab.heard('response.done', turns)
  await tab.quiet()

  const mouth = await tab.recording('input')
  const ear = await tab.recording('output')
  const begins = answersIn(ear.samples, ear.rate).map((at) => ear.frame + at)
  const whole = begins.map((frame) => ((frame - lastLoud(mouth, frame)) / mouth.rate) * 1_000)
  const rest = whole.map((ms, i) => ms - (listener.delays[i] ?? Number.NaN)).toSorted((a, b) => a - b)
  const figure = median(rest)
  return {
    title: 'Mouth to ear',
    notes: [
      `${rest.length} turns spoken to the widget in Chromium, ${fixed(ear.rate / 1_000, 1)} kHz; ms`,
      'from the last sound of speech at the microphone to the first sample of the answer at the sound card,',
      'less what the provider took for itself (the pause by which it knows that a turn is over, above all)',
    ],
    columns: ['', 'median', 'best', 'worst'],
    rows: [
      ['whole', fixed(median(whole), 0), fixed(Math.min(...whole), 0), fixed(Math.max(...whole), 0)],
      [
        'provider',
        fixed(median(listener.delays), 0),
        fixed(Math.min(...listener.delays), 0),
        fixed(Math.max(...listener.delays), 0),
      ],
      ['widget and Parley', fixed(figure, 0), fixed(rest[0] ?? Number.NaN, 0), fixed(rest.at(-1) ?? Number.NaN, 0)],
    ],
    bars: [{ name: 'mouth to ear, median', figure, most: MOST_MS, unit: 'ms' }],
  }
}

/** Where each answer begins: the first sample after at least half a second of nothing. */
function answersIn(samples: Float32Array, rate: number): number[] {
  const begins: number[] = []
  let quiet = rate
  for (let i = 0; i < samples.length; i++) {
    if (Math.abs(samples[i] as number) < 1e-5) quiet++
    else {
      if (quiet > rate / 2) begins.push(i)
      quiet = 0
    }
  }
  return begins
}

/** The last loud sample of the microphone before this frame. */
function lastLoud({ samples, frame }: { samples: Float32Array; frame: number }, before: number): number {
  for (let i = before - frame; i >= 0; i--) if (Math.abs(samples[i] ?? 0) * 32_768 > LOUD) return frame + i
  return Number.NaN
}
