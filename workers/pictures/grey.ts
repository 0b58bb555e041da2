/** A picture's brightness: one byte a pixel, row by row. */
export interface Grey {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

/** Brightness of interleaved 8-bit RGB, as eyes weigh the three colours. */
export function greyOf(samples: Uint8Array, width: number, height: number): Grey {
  const data = new Uint8Array(width * height)
  for (let i = 0, at = 0; i < data.length; i++, at += 3) {
    const sum = (samples[at] as number) * 77 + (samples[at + 1] as number) * 150 + (samples[at + 2] as number) * 29
    data[i] = sum >> 8
  }
  return { data, width, height }
}
