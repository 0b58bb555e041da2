/** What the first bytes of a file say it is; names and types its sender gave count for nothing. */
export interface Sniffed {
  readonly kind: 'audio' | 'container' | 'image'
  /** Ours: `wav`, `mp3`, `mp4`, `jpeg`… */
  readonly format: string
  readonly mime: string
  /** The one ffmpeg demuxer that may open it; null for pictures, which ffmpeg never sees. */
  readonly demuxer: string | null
}

/** As many bytes as any of the marks below needs, beside an ID3 tag, which is skipped by its own length. */
export const SNIFF_BYTES = 64

const audio = (format: string, mime: string, demuxer: string): Sniffed => ({ kind: 'audio', format, mime, demuxer })
const container = (format: string, mime: string, demuxer: string): Sniffed => ({
  kind: 'container',
  format,
  mime,
  demuxer,
})
const image = (format: string): Sniffed => ({ kind: 'image', format, mime: `image/${format}`, demuxer: null })

const MP3 = audio('mp3', 'audio/mpeg', 'mp3')
const AAC = audio('aac', 'audio/aac', 'aac')

/** A mark at a place of the file, in Latin-1. */
const MARKS: readonly (readonly [at: number, mark: string, what: Sniffed])[] = [
  [0, 'fLaC', audio('flac', 'audio/flac', 'flac')],
  [0, 'OggS', container('ogg', 'audio/ogg', 'ogg')],
  [0, '\x1aE\xdf\xa3', container('webm', 'video/webm', 'matroska')],
  [0, '#!AMR', audio('amr', 'audio/amr', 'amr')],
  [0, 'caff', audio('caf', 'audio/x-caf', 'caf')],
  [0, '.snd', audio('au', 'audio/basic', 'au')],
  [0, 'riff\x2e\x91\xcf\x11', audio('w64', 'audio/x-w64', 'w64')],
  [0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11', container('asf', 'video/x-ms-asf', 'asf')],
  [0, '\xff\xd8\xff', image('jpeg')],
  [0, '\x89PNG\r\n\x1a\n', image('png')],
  [0, 'GIF87a', image('gif')],
  [0, 'GIF89a', image('gif')],
  [0, 'II*\0', image('tiff')],
  [0, 'MM\0*', image('tiff')],
]
/** Marks inside RIFF and FORM, which stand at byte 8. */
const RIFF: Readonly<Record<string, Sniffed>> = {
  WAVE: audio('wav', 'audio/wav', 'wav'),
  WEBP: image('webp'),
}
const AIFF = audio('aiff', 'audio/aiff', 'aiff')
/** Brands of ISO media files that are pictures, and of those that hold sound alone; any other may be a video. */
const PICTURE_BRANDS: Readonly<Record<string, Sniffed>> = {
  avif: image('avif'),
  avis: image('avif'),
  heic: image('heic'),
  heix: image('heic'),
  mif1: image('heif'),
  msf1: image('heif'),
}
const M4A = audio('m4a', 'audio/mp4', 'mov')
const MP4 = container('mp4', 'video/mp4', 'mov')
/** First boxes of QuickTime files that came without `ftyp`. */
const QUICKTIME = new Set(['moov', 'mdat', 'wide', 'free', 'skip'])

/** Tells the kind of a file from its beginning, or null for one that is not taken. */
export function sniff(head: Uint8Array): Sniffed | null {
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, SNIFF_BYTES)).toString('latin1')
  const marked = MARKS.find(([at, mark]) => text.startsWith(mark, at))
  if (marked !== undefined) return marked[2]
  const inner = text.slice(8, 12)
  if (text.startsWith('RIFF') || text.startsWith('RF64')) return RIFF[inner] ?? null
  if (text.startsWith('FORM')) return inner === 'AIFF' || inner === 'AIFC' ? AIFF : null
  const box = text.slice(4, 8)
  if (box === 'ftyp') return PICTURE_BRANDS[inner] ?? (inner === 'M4A ' || inner === 'M4B ' ? M4A : MP4)
  if (QUICKTIME.has(box)) return MP4
  return frame(head)
}

/** Length of the ID3 tag a file begins with, bytes; what follows it tells what the file is. 0 for none. */
export function tagLength(head: Uint8Array): number {
  const [i, d, three, , , flags = 0, a = 0, b = 0, c = 0, e = 0] = head
  if (i !== 0x49 || d !== 0x44 || three !== 0x33) return 0
  const body = ((a & 0x7f) << 21) | ((b & 0x7f) << 14) | ((c & 0x7f) << 7) | (e & 0x7f)
  return 10 + body + ((flags & 0x10) === 0 ? 0 : 10)
}

/** MPEG audio frames: eleven bits of one, then a layer, which AAC in ADTS leaves at zero. */
function frame(head: Uint8Array): Sniffed | null {
  const [first, second = 0, third = 0] = head
  if (first !== 0xff || (second & 0xe0) !== 0xe0) return null
  if ((second & 0xf6) === 0xf0) return AAC
  const hasLayer = (second & 0x06) !== 0
  const isVersion = (second & 0x18) !== 0x08
  const hasRate = (third & 0xf0) !== 0xf0 && (third & 0x0c) !== 0x0c
  return hasLayer && isVersion && hasRate ? MP3 : null
}
