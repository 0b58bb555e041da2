import type { NanoUsd } from '../units.ts'

/** A decimal without sign or exponent. The bounds keep every scaled price far below 2^53. */
const DECIMAL = /^(\d{1,9})(?:\.(\d{1,18}))?$/

/**
 * Parses a decimal such as `0.4` into whole units of 10^-`digits`, never through a float. Null when the text is no
 * decimal, or is finer than that unit.
 */
export function parseScaled(text: string, digits: number): bigint | null {
  const match = DECIMAL.exec(text)
  if (match === null) return null
  const fraction = (match[2] ?? '').replace(/0+$/, '')
  if (fraction.length > digits) return null
  return BigInt(`${match[1]}${fraction.padEnd(digits, '0')}`)
}

/** The shortest decimal that says `units` of 10^-`digits`: the inverse of `parseScaled`. */
export function formatScaled(units: bigint, digits: number): string {
  const sign = units < 0n ? '-' : ''
  const text = String(units < 0n ? -units : units).padStart(digits + 1, '0')
  const fraction = text.slice(text.length - digits).replace(/0+$/, '')
  return `${sign}${text.slice(0, text.length - digits)}${fraction === '' ? '' : `.${fraction}`}`
}

/** Dollars as a decimal, exactly: 7_205_600 nano-dollars are `0.0072056`. */
export const dollars = (amount: NanoUsd): string => formatScaled(BigInt(amount), 9)
