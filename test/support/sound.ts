import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Header fields of a WAV file as they are written, true or not. */
export interface WavFields {
  readonly rate?: number
  readonly channels?: number
  readonly bits?: number
  /** 1 for whole numbers, 3 for floats. */
  readonly encoding?: number
  /** Bytes that the header says follow; left out: the truth. */
  readonly length?: number
}

export function wav(data: Buffer, fields: WavFields = {}): Buffer {
  const { rate = 16_000, channels = 1, bits = 16, encoding = 1, length = data.length } = fields
  const header = Buffer.alloc(44)
  header.write('RIFF', 0)
  header.writeUInt32LE(Math.min(0xffffffff, length + 36), 4)
  header.write('WAVEfmt ', 8)
  header.writeUInt32LE(16, 16)
  header.writeUInt16LE(encoding, 20)
  header.writeUInt16LE(channels, 22)
  header.writeUInt32LE(rate, 24)
  header.writeUInt32LE((rate * channels * bits) / 8, 28)
  header.writeUInt16LE((channels * bits) / 8, 32)
  header.writeUInt16LE(bits, 34)
  header.write('data', 36)
  header.writeUInt32LE(length, 40)
  return Buffer.concat([header, data])
}

/** Writes a file into a folder and gives its path. */
export function put(folder: string, name: string, data: Uint8Array | string): string {
  const file = join(folder, name)
  writeFileSync(file, data)
  return file
}

/** Another format of a file, made by ffmpeg itself. */
export function convert(ffmpeg: string, file: string, to: string, ...options: string[]): string {
  execFileSync(ffmpeg, ['-nostdin', '-v', 'error', '-y', '-i', file, ...options, to])
  return to
}
