/** Width and height of a PNG, JPEG, WebP or GIF, px, read from its header; null for everything else. */
export function pictureSize(file: Buffer): { width: number; height: number; format: string } | null {
  try {
    if (file.readUInt32BE(0) === 0x89504e47) {
      return { width: file.readUInt32BE(16), height: file.readUInt32BE(20), format: 'png' }
    }
    const magic = file.subarray(0, 4).toString('latin1')
    if (magic === 'GIF8') return { width: file.readUInt16LE(6), height: file.readUInt16LE(8), format: 'gif' }
    if (magic === 'RIFF' && file.subarray(8, 12).toString('latin1') === 'WEBP') return webp(file)
    if (file.readUInt16BE(0) === 0xffd8) return jpeg(file)
  } catch (error) {
    // A header that ends early is no picture.
    if (!(error instanceof RangeError)) throw error
  }
  return null
}

function webp(file: Buffer): { width: number; height: number; format: string } | null {
  const kind = file.subarray(12, 16).toString('latin1')
  if (kind === 'VP8 ') {
    return { width: file.readUInt16LE(26) & 0x3fff, height: file.readUInt16LE(28) & 0x3fff, format: 'webp' }
  }
  if (kind === 'VP8L') {
    const bits = file.readUInt32LE(21)
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1, format: 'webp' }
  }
  if (kind === 'VP8X') return { width: file.readUIntLE(24, 3) + 1, height: file.readUIntLE(27, 3) + 1, format: 'webp' }
  return null
}

/** The first frame header: markers C0 to CF but for C4, C8 and CC, which are tables. */
function jpeg(file: Buffer): { width: number; height: number; format: string } | null {
  for (let at = 2; at + 4 <= file.length; ) {
    if (file[at] !== 0xff) return null
    const marker = file[at + 1] as number
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      return { width: file.readUInt16BE(at + 7), height: file.readUInt16BE(at + 5), format: 'jpeg' }
    }
    at += 2 + file.readUInt16BE(at + 2)
  }
  return null
}
