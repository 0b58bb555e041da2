import { stat } from 'node:fs/promises'

/** Any recording may be as long as this, however few bytes it takes, ms. */
const ALWAYS = 2 * 3_600_000
/**
 * Longer ones have at least so many bytes for each second: a third of what the thinnest speech takes. Five hours of digital
 * silence are 39 kB of FLAC, and a day of it is a day of work.
 */
const LEAST_PER_SECOND = 100

/** The longest sound that is taken out of a file, ms: the least of what is allowed and of what its size makes credible. */
export async function longestSound(path: string, ...allowed: readonly number[]): Promise<number> {
  const { size } = await stat(path)
  return Math.min(...allowed, Math.max(ALWAYS, (size / LEAST_PER_SECOND) * 1_000))
}
