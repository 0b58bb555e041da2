import type { Config } from '../config/config.ts'
import type { Job } from '../media/job.ts'
import type { AudioPrepareOptions, ImagePrepareOptions } from '../media/job-request.ts'
import type { MediaTools, Probed } from '../media/media-tools.ts'
import type { Ms } from '../units.ts'
import { pictureTarget } from './picture-target.ts'
import { soundWish } from './sound-wish.ts'

/** What preparation would make of the sound of a job. */
export interface PlannedSound {
  readonly source: Ms
  readonly kept: Ms
  /** How long each piece is; one call is made for each. */
  readonly pieces: readonly Ms[]
  readonly bytes: number
}

/** What preparation would make of a picture. */
export interface PlannedPicture {
  readonly pictures: readonly { readonly width: number; readonly height: number; readonly tokens: number }[]
  readonly bytes: number
  readonly tokens: number
  readonly originalTokens: number
  /** It is read here, and sent as text. */
  readonly isText: boolean
}

export interface JobPlan {
  readonly sound: PlannedSound | null
  readonly picture: PlannedPicture | null
}

/** Longer recordings are not measured while a caller waits: it would take a minute and more. */
const LONGEST_MEASURED = 30 * 60_000

type Tools = Pick<MediaTools, 'prepareAudio' | 'preparePicture'>

/**
 * Does the work of a job up to the first thing that would be bought, and says what it came to; nothing of it is kept. Null
 * parts were not measured: work of that kind is not done for this type, or would take too long. `into`: an empty folder.
 */
export async function planJob(
  { type, options }: Job,
  input: { readonly path: string; readonly into: string; readonly media: Probed },
  { tools, config }: { readonly tools: Tools; readonly config: Config },
  signal: AbortSignal,
): Promise<JobPlan> {
  const { path, into, media } = input
  if (type.startsWith('audio.') && (media.duration ?? LONGEST_MEASURED) < LONGEST_MEASURED) {
    const prepared = await tools.prepareAudio(path, into, soundWish(options as AudioPrepareOptions, config), signal)
    const { source, kept, pieces } = prepared
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0)
    return { sound: { source, kept, pieces: pieces.map(({ duration }) => duration), bytes }, picture: null }
  }
  if (type.startsWith('image.')) {
    const { min_x_height_px, crop, slices, ocr, ...rest } = options as ImagePrepareOptions
    const wish = { target: pictureTarget(config, rest), minXHeight: min_x_height_px, crop, slices, ocr }
    const { pictures, tokens, original, text } = await tools.preparePicture(path, into, wish, signal)
    const bytes = pictures.reduce((sum, picture) => sum + picture.bytes, 0)
    const picture = { pictures, bytes, tokens, originalTokens: original.tokens, isText: text !== null }
    return { sound: null, picture }
  }
  return { sound: null, picture: null }
}
