/** A part of a picture, px, all four included. */
export interface Bounds {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** One connected spot that stands out from its surroundings. */
export interface Spot extends Bounds {
  /** Pixels in it. */
  readonly area: number
  readonly isDark: boolean
}

/** Many spots, a column of numbers for each of their properties: as objects they would keep the collector busy. */
export interface Spots {
  readonly count: number
  readonly left: Int32Array
  readonly top: Int32Array
  readonly right: Int32Array
  readonly bottom: Int32Array
  /** Pixels in it. */
  readonly area: Int32Array
  /** `DARK` or `LIGHT`. */
  readonly kind: Uint8Array
}

export const DARK = 1
export const LIGHT = 2

export const heightAt = ({ top, bottom }: Spots, i: number): number => (bottom[i] as number) - (top[i] as number) + 1
export const widthAt = ({ left, right }: Spots, i: number): number => (right[i] as number) - (left[i] as number) + 1

export function spotAt({ left, top, right, bottom, area, kind }: Spots, i: number): Spot {
  return {
    left: left[i] as number,
    top: top[i] as number,
    right: right[i] as number,
    bottom: bottom[i] as number,
    area: area[i] as number,
    isDark: kind[i] === DARK,
  }
}

/** Rows become columns. */
export function turnedSpots({ left, top, right, bottom, ...same }: Spots): Spots {
  return { ...same, left: top, top: left, right: bottom, bottom: right }
}
