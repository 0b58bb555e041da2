import { describe, expect, test } from 'vitest'
import { SessionMeter } from '../../src/broker/money/session-meter.ts'
import { covers, NOTHING_HELD } from '../../src/limits/holding.ts'
import { cost } from '../../src/meter/price.ts'
import { readTranscriptionUsage } from '../../src/meter/read-usage.ts'
import { weighted, weightsOf } from '../../src/meter/weights.ts'
import { instant, ms, seconds } from '../../src/units.ts'
import { transcriptionUsage } from '../../src/upstream/loopback/usage.ts'
import { rowOf } from '../support/prices.ts'

const byToken = rowOf('gpt-4o-transcribe')
const byMinute = rowOf('gpt-transcribe')
const at = (n: number) => instant(n)

/** A session whose input is written down by `by`; turns are taken by its caller, or out of what is taken for speech. */
function meter({ by = byToken, detectsSpeech = false, silence = 0, prompt = 0 } = {}) {
  const one = new SessionMeter(rowOf('gpt-realtime'), false)
  one.transcriberIs(by)
  one.sessionIs({ bytes: 0, maxOutput: null, detectsSpeech, silence: ms(silence), prompt })
  return one
}
/** Speech as it is spoken, from `from` on, in pieces of 100 ms. */
function speak(one: SessionMeter, length: number, from = 0): void {
  for (let t = 0; t < length; t += 100) one.audioCame(ms(100), at(from + t))
}

describe('what writing down may cost', () => {
  test.each([byToken, byMinute])('L5 a turn of any length costs no more than is held for it: $model', (row) => {
    const one = meter({ by: row })
    for (const length of [1, 99, 100, 101, 480, 1_234.5, 15_000, 61_001]) {
      const said = `(${(length / 1_000).toFixed(1)} seconds of speech)`
      const usage = readTranscriptionUsage(transcriptionUsage(row.model, length, said))
      if (usage === null) throw new Error('no usage')
      const held = one.transcription(ms(length))
      expect(held.money).toBeGreaterThanOrEqual(cost(usage, row).nano)
      expect(held.tokens).toBeGreaterThanOrEqual(weighted(usage, weightsOf(row)))
    }
  })

  test('L5 what was sent is past holding back, with 5 s more; at least 15 s are paid for in advance', () => {
    const one = meter()
    expect(one.next()).toMatchObject({
      sent: one.transcription(seconds(5)),
      writing: one.transcription(seconds(15)),
    })
    speak(one, 20_000)
    expect(one.next()).toMatchObject({
      sent: one.transcription(seconds(25)),
      writing: one.transcription(seconds(30)),
    })
  })

  test('L5 the next response is reckoned with beside it', () => {
    const one = meter()
    const { next, writing } = one.next()
    expect(next.money).toBeGreaterThan(writing.money)
    one.transcriberIs(null)
    expect(one.next()).toMatchObject({ writing: NOTHING_HELD, sent: NOTHING_HELD })
    expect(one.next().next.money).toBe(next.money - writing.money)
  })

  test('L5 what the provider has not taken for speech yet counts while it comes faster than it is spoken', () => {
    const live = meter({ detectsSpeech: true })
    speak(live, 60_000)
    expect(live.untaken).toBeLessThanOrEqual(100)
    const hasty = meter({ detectsSpeech: true })
    for (let i = 0; i < 10; i++) hasty.audioCame(ms(2_000), at(0))
    expect(hasty.untaken).toBe(20_000)
    hasty.audioCame(ms(100), at(19_000))
    expect(hasty.untaken).toBe(1_100)
  })

  test('L5 silence of which the provider will take a turn by itself is paid for', () => {
    expect(meter({ detectsSpeech: true, silence: 30_000 }).untaken).toBe(30_000)
  })

  test('L5 a turn taken without a word of where speech was may be all that was sent since the last', () => {
    const one = meter({ detectsSpeech: true })
    speak(one, 8_000)
    expect(one.bufferBecameItem(null)).toBe(8_000)
    speak(one, 3_000, 8_000)
    expect(one.bufferBecameItem(ms(900))).toBe(900)
    expect(one.bufferBecameItem(null)).toBe(0)
  })

  test('L5 a model that the caller has asked for counts before the provider confirms it', () => {
    const one = meter()
    one.transcriberIs(null)
    one.transcribersAsked([byMinute, byToken])
    const both = one.transcription(seconds(60))
    for (const row of [byMinute, byToken])
      expect(covers(both, meter({ by: row }).transcription(seconds(60)))).toBe(true)
    one.transcribersAsked([])
    one.transcriberIs(byToken)
    expect(one.transcription(seconds(60))).toEqual(meter().transcription(seconds(60)))
    one.transcriberIs(null)
    expect(one.transcription(seconds(60))).toEqual(NOTHING_HELD)
  })

  test('L5 a prompt is read with every turn', () => {
    expect(meter({ prompt: 400 }).transcription(seconds(1)).money).toBeGreaterThan(
      meter().transcription(seconds(1)).money,
    )
  })
})

describe('the input buffer, as its caller commits and clears it', () => {
  test('M1 what comes after a commit stays buffered when the commit is confirmed', () => {
    const one = meter()
    speak(one, 2_000)
    one.bufferMarked()
    speak(one, 5_000, 2_000)
    one.bufferMarked()
    expect(one.bufferBecameItem(null)).toBe(2_000)
    expect(one.untaken).toBe(5_000)
    expect(one.bufferBecameItem(null)).toBe(5_000)
    expect(one.untaken).toBe(0)
  })

  test('M1 a clearing takes away only what it was sent behind', () => {
    const one = meter()
    speak(one, 2_000)
    one.bufferMarked()
    speak(one, 3_000, 2_000)
    one.bufferCleared()
    expect(one.untaken).toBe(3_000)
  })

  test('M1 a commit that is refused takes nothing away', () => {
    const one = meter()
    one.bufferMarked()
    speak(one, 2_000)
    one.commitRefused()
    expect(one.untaken).toBe(2_000)
    expect(one.bufferBecameItem(null)).toBe(2_000)
  })

  test('M1 audio is never lost to a mark that does not belong', () => {
    const one = meter()
    speak(one, 1_000)
    one.bufferMarked()
    speak(one, 4_000, 1_000)
    // An answer to something that nobody marked: whatever it took, the rest is still reckoned with.
    const first = one.bufferBecameItem(null)
    expect(first + one.untaken).toBe(5_000)
  })
})
