import { expect, test } from 'vitest'
import { CHUNK, Silero } from '../../workers/audio/silero.ts'
import { stretches } from '../../workers/audio/stretches.ts'
import { voicedCells, webrtcVoices } from '../../workers/audio/webrtc-gate.ts'
import { CELL, WARM_UP_CELLS, WINDOW_CELLS, type Window, windows } from '../../workers/audio/windows.ts'
import { spokenScene } from '../support/speech.ts'

async function* blocks(pcm: Buffer, size: number): AsyncGenerator<Int16Array> {
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)
  for (let at = 0; at < samples.length; at += size) yield samples.subarray(at, at + size)
}

async function firstWindow(pcm: Buffer): Promise<Window> {
  for await (const window of windows(blocks(pcm, 4_096))) return window
  throw new Error('no window')
}

test('Q3 the model is sure of clear speech and of silence: its context stands before every chunk', async () => {
  const { pcm, spoken } = spokenScene([2, 2, 2, 2], 0.001)
  const window = await firstWindow(pcm)
  const silero = await Silero.load()
  const heard = await silero.probabilities(window, [{ from: 0, to: Math.ceil(window.length / CELL) }])
  for (const { start, end } of spoken) {
    const during = [...heard.subarray(Math.ceil(start / CHUNK), Math.floor(end / CHUNK))]
    expect(Math.max(...during)).toBeGreaterThan(0.95)
    expect(during.filter((probability) => probability > 0.9).length / during.length).toBeGreaterThan(0.7)
  }
  expect(Math.max(...heard.subarray(0, (1.5 * 16_000) / CHUNK))).toBeLessThan(0.1)
})

test('Q3 pieces heard side by side are heard as one after the other', async () => {
  const pauses = Array.from({ length: 24 }, (_, i) => (i % 5) * 0.7)
  const window = await firstWindow(spokenScene(pauses, 0.002).pcm)
  const cells = Math.ceil(window.length / CELL)
  const silero = await Silero.load()
  const alone = await silero.probabilities(window, [{ from: 0, to: cells }])
  const pieces = Array.from({ length: Math.ceil(cells / 8) }, (_, i) => ({
    from: 8 * i,
    to: Math.min(cells, 8 * i + 8),
  }))
  expect(pieces.length).toBeGreaterThan(16)
  const together = await silero.probabilities(window, pieces)
  const differences = [...together].map((probability, i) => Math.abs(probability - (alone[i] as number)))
  // Less than three seconds of warm-up are a little less than all that came before.
  expect(differences.filter((difference) => difference > 0.2).length / differences.length).toBeLessThan(0.03)
})

test('Q3 the gate lets every sentence through and digital silence not', async () => {
  const { pcm, spoken } = spokenScene([3, 4, 3], 0)
  const window = await firstWindow(pcm)
  const cells = voicedCells(await webrtcVoices(window), window.length)
  for (const { start, end } of spoken) {
    expect(cells.slice(Math.floor(start / CELL), Math.ceil(end / CELL)).every((voice) => voice)).toBe(true)
  }
  expect(cells.slice(0, 5)).not.toContain(true)
})

test('Q3 windows follow each other without a seam, whatever the blocks', async () => {
  const size = WINDOW_CELLS * CELL
  const pcm = Buffer.alloc((size + 50_000) * 2)
  for (let i = 0; i < size + 50_000; i++) pcm.writeInt16LE(Math.round(8_000 * Math.sin(i / 5)), 2 * i)
  const seen: { start: number; length: number; isWarm: boolean; head: number[]; tail: number[] }[] = []
  for await (const { samples, lead, ...window } of windows(blocks(pcm, 10_007))) {
    expect(lead).toBe(WARM_UP_CELLS * CELL)
    seen.push({
      ...window,
      head: [...samples.subarray(0, lead)],
      tail: [...samples.subarray(window.length, window.length + lead)],
    })
  }
  expect(seen.map(({ start, length, isWarm }) => ({ start, length, isWarm }))).toEqual([
    { start: 0, length: size, isWarm: false },
    { start: size, length: 50_000, isWarm: true },
  ])
  expect(seen[1]?.head).toEqual(seen[0]?.tail)
})

test('Q3 what the gate heard is looked at with its neighbours; quiet stretches are passed over', () => {
  const voiced = Array.from({ length: 100 }, (_, i) => (i >= 30 && i < 33) || i === 38 || i === 70)
  expect(stretches(voiced)).toEqual([
    { from: 0, to: 1 },
    { from: 29, to: 40 },
    { from: 69, to: 72 },
    { from: 99, to: 100 },
  ])
  const all = stretches(Array.from({ length: 200 }, () => true))
  expect(all).toEqual([
    { from: 0, to: 67 },
    { from: 67, to: 133 },
    { from: 133, to: 200 },
  ])
})
