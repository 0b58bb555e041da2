/**
 * How long a recording plays, ms, read from its own headers: WAV, FLAC, Ogg (Opus, Vorbis) and MP3, which is what Parley
 * sends and callers of the demo have. Null for everything else, as a provider would refuse it.
 */
export function soundLength(file: Buffer): number | null {
  const magic = file.subarray(0, 4).toString('latin1')
  if (magic === 'RIFF') return wav(file)
  if (magic === 'fLaC') return flac(file)
  if (magic === 'OggS') return ogg(file)
  if (magic.startsWith('ID3') || isMp3Frame(file, 0)) return mp3(file)
  return null
}

function wav(file: Buffer): number | null {
  let bytesPerSecond = 0
  for (let at = 12; at + 8 <= file.length; ) {
    const id = file.subarray(at, at + 4).toString('latin1')
    const size = file.readUInt32LE(at + 4)
    if (id === 'fmt ' && at + 20 <= file.length) bytesPerSecond = file.readUInt32LE(at + 16)
    if (id === 'data') {
      // A writer that could not go back left the size open.
      const length = Math.min(size, file.length - at - 8)
      return bytesPerSecond === 0 ? null : (length * 1_000) / bytesPerSecond
    }
    at += 8 + size + (size % 2)
  }
  return null
}

/** STREAMINFO: 20 bits of rate, 36 bits of samples. */
function flac(file: Buffer): number | null {
  if (file.length < 26) return null
  const rate = file.readUIntBE(18, 3) >> 4
  const samples = (file.readUInt8(21) & 0x0f) * 2 ** 32 + file.readUInt32BE(22)
  if (rate === 0) return null
  return samples === 0 ? null : (samples * 1_000) / rate
}

/** The position of the last page, in samples of 48 kHz for Opus, less what the decoder skips at the beginning. */
function ogg(file: Buffer): number | null {
  const last = file.lastIndexOf('OggS')
  if (last < 0 || last + 14 > file.length) return null
  const end = Number(file.readBigInt64LE(last + 6))
  const opus = file.indexOf('OpusHead')
  if (opus >= 0 && opus + 12 <= file.length) return Math.max(0, (end - file.readUInt16LE(opus + 10)) / 48)
  const vorbis = file.indexOf('\x01vorbis', 0, 'latin1')
  if (vorbis < 0 || vorbis + 16 > file.length) return null
  const rate = file.readUInt32LE(vorbis + 12)
  return rate === 0 ? null : (end * 1_000) / rate
}

/** kbit/s of layer III: MPEG 1, then 2 and 2.5. */
const RATES = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const
const SAMPLE_RATES = [44_100, 48_000, 32_000] as const

function isMp3Frame(file: Buffer, at: number): boolean {
  return at + 4 <= file.length && file[at] === 0xff && ((file[at + 1] as number) & 0xe6) === 0xe2
}

function mp3(file: Buffer): number | null {
  let at = 0
  if (file.subarray(0, 3).toString('latin1') === 'ID3' && file.length > 10) {
    const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + ((file[i] as number) & 0x7f), 0)
    at = 10 + size
  }
  let ms = 0
  while (isMp3Frame(file, at)) {
    const version = ((file[at + 1] as number) >> 3) & 3
    const third = file[at + 2] as number
    const kbits = RATES[version === 3 ? 0 : 1][third >> 4]
    const base = SAMPLE_RATES[((third >> 2) & 3) as 0 | 1 | 2]
    if (kbits === undefined || kbits === 0 || base === undefined) break
    const rate = version === 3 ? base : version === 2 ? base / 2 : base / 4
    const samples = version === 3 ? 1_152 : 576
    ms += (samples * 1_000) / rate
    at += Math.floor((samples * kbits * 125) / rate) + ((third >> 1) & 1)
  }
  return ms === 0 ? null : ms
}
