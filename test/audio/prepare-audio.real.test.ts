import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RATE, toSamples } from '../../src/media/audio/samples.ts'
import { toSource } from '../../src/media/audio/time-map.ts'
import type { PrepareAudio, PreparedAudio } from '../../src/media/prepared-audio.ts'
import { ms, seconds } from '../../src/units.ts'
import { extractAudio } from '../../workers/audio/extract-audio.ts'
import { longestSound } from '../../workers/audio/longest-sound.ts'
import { prepareAudio } from '../../workers/audio/prepare-audio.ts'
import { FFMPEGS, taskContext } from '../support/ffmpeg.ts'
import { convert, put, wav } from '../support/sound.ts'
import { spokenScene } from '../support/speech.ts'
import { TempFolder } from '../support/temp-folder.ts'

const OPTIONS: PrepareAudio = {
  trim: true,
  minGap: ms(300),
  padding: ms(250),
  engine: 'auto',
  format: 'auto',
  limits: { duration: seconds(480), bytes: 24_000_000, billedAtLeast: ms(0) },
  longest: seconds(43_200),
}

/** A file of ours as samples, decoded by an ffmpeg on its own. */
function samplesOf(ffmpeg: string, file: string): Int16Array {
  const args = ['-nostdin', '-v', 'error', '-i', file, '-ac', '1', '-ar', String(RATE), '-f', 's16le', 'pipe:1']
  const raw = execFileSync(ffmpeg, args, { maxBuffer: 2 ** 28 })
  return new Int16Array(raw.buffer, raw.byteOffset, raw.length / 2)
}

describe.each(FFMPEGS)('with the ffmpeg of $name', ({ file: ffmpeg }) => {
  const context = taskContext(ffmpeg)

  function prepare(
    folder: string,
    path: string,
    options: Partial<PrepareAudio> = {},
    into = 'out',
  ): Promise<PreparedAudio> {
    mkdirSync(join(folder, into))
    return prepareAudio({ path, into: join(folder, into), options: { ...OPTIONS, ...options } }, context)
  }

  test('Q3 speech stays whole, silence goes, and every sample finds its way back', async () => {
    using folder = new TempFolder()
    const { pcm, spoken } = spokenScene([3, 5, 4, 20, 2], 0.0005)
    const file = put(folder.path, 'a.wav', wav(pcm))
    const prepared = await prepare(folder.path, file)
    expect(prepared).toMatchObject({
      engine: 'silero',
      channels: 1,
      codec: 'pcm_s16le',
      source: (pcm.length / 2 / RATE) * 1_000,
    })
    const [piece] = prepared.pieces
    expect(prepared.pieces).toHaveLength(1)
    const kept = piece?.map ?? []
    for (const { start, end } of spoken) {
      expect(kept.some(({ source, length }) => source <= start && end <= source + length)).toBe(true)
    }
    const spokenMs = spoken.reduce((sum, { start, end }) => sum + end - start, 0) / 16
    expect(prepared.kept).toBeLessThan(spokenMs + spoken.length * 900)
    // FLAC loses nothing: the piece holds the very samples its map points to.
    const original = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)
    const heard = samplesOf(ffmpeg, join(folder.path, 'out', piece?.file ?? ''))
    expect(heard.length).toBe(toSamples(piece?.duration ?? ms(0)))
    for (let out = 0; out < heard.length; out += 997) expect(heard[out]).toBe(original[toSource(kept, out)])
  })

  test('Q3 the same recording gives the same pieces, byte for byte', async () => {
    using folder = new TempFolder()
    const file = put(folder.path, 'a.wav', wav(spokenScene([1, 2, 1], 0.001).pcm))
    for (const format of ['flac', 'opus'] as const) {
      const first = await prepare(folder.path, file, { format }, `${format}1`)
      const second = await prepare(folder.path, file, { format }, `${format}2`)
      expect(second).toEqual(first)
      expect(first.pieces[0]?.sha256).toMatch(/^[0-9a-f]{64}$/)
    }
  })

  test('Q3 pieces keep within their limits and together hold what is kept', async () => {
    using folder = new TempFolder()
    const pauses = Array.from({ length: 13 }, (_, i) => (i === 6 ? 1.5 : 0.6))
    const file = put(folder.path, 'a.wav', wav(spokenScene(pauses, 0.001).pcm))
    const limits = { duration: seconds(12), bytes: 24_000_000, billedAtLeast: ms(3_000) }
    const prepared = await prepare(folder.path, file, { limits })
    expect(prepared.pieces.length).toBeGreaterThan(2)
    expect(prepared.pieces.map(({ index }) => index)).toEqual(prepared.pieces.map((_, i) => i))
    for (const piece of prepared.pieces) {
      expect(piece.duration).toBeLessThanOrEqual(12_000)
      expect(piece.duration).toBeGreaterThanOrEqual(3_000)
    }
    expect(readdirSync(join(folder.path, 'out')).length).toBe(prepared.pieces.length)
  })

  test('Q3 a recording in which nobody speaks gives no piece at all', async () => {
    using folder = new TempFolder()
    for (const [name, noise] of [
      ['digital', 0],
      ['hiss', 0.0003],
    ] as const) {
      const file = put(folder.path, `${name}.wav`, wav(spokenScene([20], noise).pcm))
      expect(await prepare(folder.path, file, {}, name)).toMatchObject({ pieces: [], kept: 0, source: 20_000 })
    }
  })

  test('Q3 where the model is not wanted WebRTC listens, and untrimmed recordings are cut alone', async () => {
    using folder = new TempFolder()
    const { pcm, spoken } = spokenScene([3, 5, 3], 0)
    const file = put(folder.path, 'a.wav', wav(pcm))
    const webrtc = await prepare(folder.path, file, { engine: 'webrtc' }, 'webrtc')
    expect(webrtc.engine).toBe('webrtc')
    for (const { start, end } of spoken) {
      const kept = webrtc.pieces[0]?.map ?? []
      expect(kept.some(({ source, length }) => source <= start && end <= source + length)).toBe(true)
    }
    const whole = await prepare(folder.path, file, { trim: false }, 'whole')
    expect(whole).toMatchObject({ engine: 'none', kept: whole.source })
  })

  test.each([
    ['mp3', []],
    ['m4a', []],
    ['ogg', ['-c:a', 'libopus']],
    ['webm', ['-c:a', 'libopus']],
    ['flac', ['-ar', '44100', '-ac', '2']],
  ])('Q3 stamps of a recording as %s lie within 20 ms of the original', async (ending, options) => {
    using folder = new TempFolder()
    const { pcm } = spokenScene([2, 3, 2], 0)
    const file = put(folder.path, 'a.wav', wav(pcm))
    const other = convert(ffmpeg, file, join(folder.path, `a.${ending}`), ...options)
    const prepared = await prepare(folder.path, other, { format: 'opus' })
    const original = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2)
    const [piece] = prepared.pieces
    const heard = samplesOf(ffmpeg, join(folder.path, 'out', piece?.file ?? ''))
    for (const { out, source, length } of piece?.map ?? []) {
      const lag = lagOf(original.subarray(source, source + length), heard.subarray(out, out + length))
      expect(Math.abs(lag) / 16).toBeLessThan(20)
    }
  })

  test('Q3 the sound of a video comes as one file', async () => {
    using folder = new TempFolder()
    const sound = put(folder.path, 'a.wav', wav(spokenScene([1, 1], 0).pcm))
    const picture = ['-f', 'lavfi', '-i', 'color=c=blue:s=64x48:r=5:d=3']
    const video = convert(ffmpeg, sound, join(folder.path, 'v.mp4'), ...picture, '-c:v', 'mpeg4', '-c:a', 'aac')
    mkdirSync(join(folder.path, 'out'))
    const found = await extractAudio({ path: video, into: join(folder.path, 'out'), format: 'flac' }, context)
    expect(found).toMatchObject({ mime: 'audio/flac' })
    expect(found.duration).toBeGreaterThan(4_000)
    const silent = join(folder.path, 'silent.mp4')
    execFileSync(ffmpeg, ['-v', 'error', '-f', 'lavfi', '-i', 'color=c=blue:s=64x48:r=5:d=1', '-c:v', 'mpeg4', silent])
    await expect(extractAudio({ path: silent, into: folder.path, format: 'flac' }, context)).rejects.toMatchObject({
      code: 'media_corrupt',
    })
  })

  describe('hostile recordings', () => {
    const second = spokenScene([1], 0.001).pcm
    const nan = Buffer.alloc(64_000)
    for (let i = 0; i < nan.length; i += 4) nan.writeFloatLE(i % 3 === 0 ? Number.NaN : Number.POSITIVE_INFINITY, i)

    test.each([
      ['a header without samples', wav(Buffer.alloc(0)), 'media_corrupt'],
      ['a rate of a sample a second', wav(second, { rate: 1 }), 'media_corrupt'],
      ['two hundred channels', wav(second, { channels: 200 }), 'media_corrupt'],
      ['a playlist that names another file', Buffer.from('#EXTM3U\n#EXTINF:1,\nother.wav\n'), 'unsupported_media'],
      [
        'noise behind the mark of an MP3',
        Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x64]), second]),
        'media_corrupt',
      ],
    ])('Q3 %s ends with the name of its fault', async (_, data, code) => {
      using folder = new TempFolder()
      await expect(prepare(folder.path, put(folder.path, 'a.wav', data))).rejects.toMatchObject({ code })
      expect(readdirSync(join(folder.path, 'out'))).toEqual([])
    })

    test.each([
      ['a length of 37 hours that is only claimed', wav(second, { length: 0xffffffff })],
      ['samples that are no numbers', wav(nan, { encoding: 3, bits: 32 })],
    ])('Q3 %s does no harm', async (_, data) => {
      using folder = new TempFolder()
      const prepared = await prepare(folder.path, put(folder.path, 'a.wav', data))
      expect(prepared.source).toBeLessThan(1_100)
    })

    test('Q3 a file that breaks off is taken for what came before', async () => {
      using folder = new TempFolder()
      const file = put(folder.path, 'a.wav', wav(spokenScene([1, 1, 1, 1], 0).pcm))
      const mp3 = readFileSync(convert(ffmpeg, file, join(folder.path, 'a.mp3')))
      const half = await prepare(folder.path, put(folder.path, 'half.mp3', mp3.subarray(0, mp3.length / 2)))
      expect(half.source).toBeGreaterThan(3_000)
      expect(half.pieces).toHaveLength(1)
    })

    test('Q3 hours that hide in a few kilobytes are refused by their header, and by what comes out', async () => {
      using folder = new TempFolder()
      const bomb = join(folder.path, 'bomb.flac')
      execFileSync(ffmpeg, ['-v', 'error', '-f', 'lavfi', '-i', 'anullsrc=r=8000:cl=mono', '-t', '1200', bomb])
      await expect(prepare(folder.path, bomb, { longest: seconds(600) }, 'a')).rejects.toMatchObject({
        code: 'media_too_long',
      })
      const raw = join(folder.path, 'bomb.mp3')
      execFileSync(ffmpeg, [
        '-v',
        'error',
        '-f',
        'lavfi',
        '-i',
        'anullsrc=r=8000:cl=mono',
        '-t',
        '100',
        '-write_xing',
        '0',
        '-b:a',
        '8k',
        raw,
      ])
      // Without its own header an MP3's length is guessed from its first frames.
      await expect(prepare(folder.path, raw, { longest: seconds(60) }, 'b')).rejects.toMatchObject({
        code: 'media_too_long',
      })
    })

    test('Q3 a playlist inside of a container opens no other file', async () => {
      using folder = new TempFolder()
      put(folder.path, 'secret.wav', wav(second))
      const script = "ffconcat version 1.0\nfile 'secret.wav'\n"
      await expect(prepare(folder.path, put(folder.path, 'a.mp4', script))).rejects.toMatchObject({
        code: 'unsupported_media',
      })
      expect(existsSync(join(folder.path, 'out', 'piece-0000.flac'))).toBe(false)
    })
  })
})

test('Q3 hours in a few kilobytes are no recording; two of them may be silence', async () => {
  using folder = new TempFolder()
  const small = put(folder.path, 'small', Buffer.alloc(39_000))
  const large = put(folder.path, 'large', Buffer.alloc(2_000_000))
  expect(await longestSound(small, 12 * 3_600_000)).toBe(2 * 3_600_000)
  expect(await longestSound(large, 12 * 3_600_000)).toBe(20_000_000)
  expect(await longestSound(large, 12 * 3_600_000, 60_000)).toBe(60_000)
})

/** By how many samples `b` lags behind `a`: where they fit each other best, within 100 ms. */
function lagOf(a: Int16Array, b: Int16Array): number {
  let best = { lag: 0, fit: Number.NEGATIVE_INFINITY }
  for (let lag = -1_600; lag <= 1_600; lag += 4) {
    let fit = 0
    for (let i = 1_600; i < Math.min(a.length, b.length) - 1_600; i += 3)
      fit += (a[i] as number) * (b[i + lag] as number)
    if (fit > best.fit) best = { lag, fit }
  }
  return best.lag
}
