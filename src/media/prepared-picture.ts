import type { PictureTarget } from './picture-target.ts'

export interface PreparePicture {
  readonly target: PictureTarget
  /** Smallest x-height at which text is still sent, px. */
  readonly minXHeight: number
  readonly crop: boolean
  readonly slices: boolean
  readonly ocr: boolean
}

export interface PictureFile {
  /** File name inside the folder that was given. */
  readonly file: string
  readonly mime: 'image/jpeg' | 'image/webp' | 'image/png'
  readonly width: number
  readonly height: number
  readonly bytes: number
  readonly sha256: string
  /** `detail` to send it with; null where the provider knows none. */
  readonly detail: 'low' | 'high' | 'original' | 'auto' | null
  /** By the target's own rule. */
  readonly tokens: number
}

export interface PreparedPicture {
  /** What to send: one, or slices in reading order. Empty where `text` stands in for the picture. */
  readonly pictures: readonly PictureFile[]
  /** Read here because the page is plain text and the caller asked for it. */
  readonly text: string | null
  readonly original: {
    readonly width: number
    readonly height: number
    readonly bytes: number
    readonly tokens: number
    readonly format: string
    readonly pages: number
  }
  /** In all: of `pictures`, or an estimate of the text's. */
  readonly tokens: number
  /** It is seen as the original would have been, because nothing smaller saves a token; its metadata is dropped all the same. */
  readonly untouched: boolean
}
