import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { speech } from '../../fixtures/index.ts'
import { systemClock } from '../../src/clock.ts'
import { createLogger } from '../../src/log.ts'
import { IsolatedMediaTools } from '../../workers/tools/isolated-media-tools.ts'
import { probe } from '../../workers/tools/probe.ts'
import { FFMPEGS, taskContext, toolSettings } from '../support/ffmpeg.ts'
import { convert, put, wav } from '../support/sound.ts'
import { TempFolder } from '../support/temp-folder.ts'

const second = Buffer.alloc(32_000)

describe.each(FFMPEGS)('with the ffmpeg of $name', ({ file: ffmpeg }) => {
  const context = taskContext(ffmpeg)

  test.each([
    ['mp3', [], 'mp3', 'audio/mpeg'],
    ['m4a', [], 'm4a', 'audio/mp4'],
    ['mp4', ['-c:a', 'aac'], 'mp4', 'audio/mp4'],
    ['flac', [], 'flac', 'audio/flac'],
    ['ogg', ['-c:a', 'libopus'], 'ogg', 'audio/ogg'],
    ['webm', ['-c:a', 'libopus'], 'webm', 'audio/webm'],
    ['aac', [], 'aac', 'audio/aac'],
    ['aiff', [], 'aiff', 'audio/aiff'],
    ['wav', ['-ac', '2'], 'wav', 'audio/wav'],
  ])('Q3 a recording as %s is told as what it is', async (ending, options, format, mime) => {
    using folder = new TempFolder()
    const file = convert(ffmpeg, speech.order.file, join(folder.path, `a.${ending}`), ...options)
    const found = await probe({ path: file }, context)
    expect(found).toMatchObject({ kind: 'audio', format, mime, channels: ending === 'wav' ? 2 : 1 })
    expect(found.duration).toBeGreaterThan(2_000)
  })

  test('Q3 what is inside counts, not the name of the file', async () => {
    using folder = new TempFolder()
    const file = put(folder.path, '-i concat:x|y.mp3', wav(second))
    expect(await probe({ path: file }, context)).toMatchObject({ format: 'wav', duration: 1_000, channels: 1 })
  })

  test.each([
    ['an empty file', Buffer.alloc(0), 'media_corrupt'],
    ['a header without sound', wav(Buffer.alloc(0)).subarray(0, 20), 'media_corrupt'],
    ['no channel', wav(second, { channels: 0 }), 'media_corrupt'],
    ['200 channels', wav(second, { channels: 200 }), 'media_corrupt'],
    ['a rate of 0', wav(second, { rate: 0 }), 'media_corrupt'],
    ['a rate of 1', wav(second, { rate: 1 }), 'media_corrupt'],
    ['text', Buffer.from('just some text, no sound at all'), 'unsupported_media'],
    ['a playlist', Buffer.from('#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n'), 'unsupported_media'],
    ['a concat script', Buffer.from("ffconcat version 1.0\nfile '/etc/hostname'\n"), 'unsupported_media'],
    [
      'a container cut in half',
      Buffer.from('\0\0\0\x20ftypisom\0\0\x02\0isomiso2mp41\0\0\0\x08free', 'latin1'),
      'media_corrupt',
    ],
  ])('Q3 %s is refused by name of its fault', async (_, data, code) => {
    using folder = new TempFolder()
    const file = put(folder.path, 'a.wav', data)
    await expect(probe({ path: file }, context)).rejects.toMatchObject({ name: 'FaultError', code })
  })

  test('Q3 a length that the header only claims is not believed', async () => {
    using folder = new TempFolder()
    const file = put(folder.path, 'a.wav', wav(second, { length: 0xffffffff }))
    expect((await probe({ path: file }, context)).duration).toBeLessThan(60_000)
  })

  test('Q3 a video with sound is a video, a song with its cover is not', async () => {
    using folder = new TempFolder()
    const picture = ['-f', 'lavfi', '-i', 'color=c=blue:s=64x48:r=5:d=2']
    const video = convert(
      ffmpeg,
      speech.order.file,
      join(folder.path, 'v.mp4'),
      ...picture,
      '-c:v',
      'mpeg4',
      '-shortest',
    )
    expect(await probe({ path: video }, context)).toMatchObject({
      kind: 'video',
      mime: 'video/mp4',
      width: 64,
      height: 48,
    })
    const cover = ['-f', 'lavfi', '-i', 'color=c=blue:s=64x48:r=1:d=1', '-map', '0', '-map', '1', '-c:v', 'mjpeg']
    const song = convert(ffmpeg, speech.order.file, join(folder.path, 's.mp3'), ...cover)
    expect(await probe({ path: song }, context)).toMatchObject({ kind: 'audio', width: null })
  })
})

test('Q3 the tools of a worker find an ffmpeg and probe in a process of their own', async () => {
  await using tools = await IsolatedMediaTools.start(toolSettings(), systemClock, createLogger('silent'))
  const found = await tools.probe(speech.order.file, new AbortController().signal)
  expect(found).toMatchObject({ kind: 'audio', format: 'wav' })
  await expect(tools.probe('/no/such/file', new AbortController().signal)).rejects.toThrow()
})
