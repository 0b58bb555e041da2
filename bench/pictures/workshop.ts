import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { tokensOf } from '../../src/media/picture/tokens-of.ts'
import type { PictureTarget } from '../../src/media/picture-target.ts'
import type { PreparedPicture } from '../../src/media/prepared-picture.ts'
import { preparePicture } from '../../workers/pictures/prepare-picture.ts'

/** A rule as a model that counts by it, and the most of the original's tokens that may be left, percent. */
export interface Rule {
  readonly name: string
  readonly target: PictureTarget
  readonly slices: boolean
  readonly most: number
}

const target = (provider: string, model: string): PictureTarget => ({ provider, model, detail: 'auto' })

export const RULES: readonly Rule[] = [
  { name: 'Claude high-res', target: target('anthropic', 'claude-opus-5.5'), slices: false, most: 27 },
  { name: '2,500 patches', target: target('openai', 'gpt-5.4'), slices: false, most: 31 },
  { name: 'Claude standard', target: target('anthropic', 'claude-sonnet-4-6'), slices: false, most: 47 },
  { name: '512-px tiles, slices', target: target('openai', 'gpt-4o'), slices: true, most: 45 },
  { name: 'no budget', target: target('openai', 'gpt-5.6-sol'), slices: false, most: 20 },
]

export interface Made {
  readonly result: PreparedPicture
  /** What would be sent, in reading order. */
  readonly files: readonly Buffer[]
}

/** Prepares one picture as a worker would. */
export async function make(path: string, { target, slices }: Pick<Rule, 'target' | 'slices'>): Promise<Made> {
  const into = mkdtempSync(join(tmpdir(), 'parley-picture-'))
  try {
    const options = { target, minXHeight: 8, crop: true, slices, ocr: false }
    const result = await preparePicture(path, into, options, { mostPixels: 40_000_000, at: systemClock.now() })
    return { result, files: result.pictures.map(({ file }) => readFileSync(join(into, file))) }
  } finally {
    rmSync(into, { recursive: true, force: true })
  }
}

/** What everybody does: the longer side to 1,024 px. */
export function fit1024({ original: { width, height } }: PreparedPicture, target: PictureTarget): number {
  const scale = Math.min(1, 1_024 / Math.max(width, height))
  const side = (length: number) => Math.max(1, Math.round(length * scale))
  return tokensOf(target, side(width), side(height), systemClock.now()).tokens
}

/** Whether the provider would take the original at all; what it refuses costs nothing and is left out of sums. */
export function isTaken({ original: { width, height } }: PreparedPicture, target: PictureTarget): boolean {
  return !tokensOf(target, width, height, systemClock.now()).refused
}
