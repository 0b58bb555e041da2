import { writeFileSync } from 'node:fs'
import { wav } from '../../src/talk/wav.ts'

/** Writes 24 kHz PCM16 as a WAV file, as a browser's fake microphone reads it. */
export function writeWav(file: string, pcm: Buffer): string {
  writeFileSync(file, wav(pcm))
  return file
}
