import { Writable } from 'node:stream'
import ffmpegInstaller from '@ffmpeg-installer/ffmpeg'
import ffmpeg from 'fluent-ffmpeg'

/** Longest recording that is spoken in one conversation turn, seconds. */
const LONGEST_SECONDS = 120

/** Any audio file as 24 kHz, 16-bit, mono PCM. Rejects with ffmpeg's own last words. */
export async function decodeFile(file: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  ffmpeg(file)
    .setFfmpegPath(ffmpegInstaller.path)
    .noVideo()
    .audioChannels(1)
    .audioFrequency(24_000)
    .audioCodec('pcm_s16le')
    .format('s16le')
    .duration(LONGEST_SECONDS)
    .on('error', (error: Error) =>
      reject(new Error(`${file} cannot be read as audio: ${error.message.trim().split('\n').at(-1)}`)),
    )
    .on('end', () => resolve())
    .pipe(sink)
  await promise
  return Buffer.concat(chunks)
}
