import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Target } from '../../calls/targets.ts'
import { DEAREST_PICTURE } from '../../calls/worst-case.ts'
import { FaultError } from '../../faults.ts'
import type { MediaTools } from '../../media/media-tools.ts'
import type { Fetcher } from '../../net/fetcher.ts'
import { bytes, type Tokens, tokens } from '../../units.ts'
import { type BodyPicture, dataBytes } from './body-pictures.ts'
import type { WorkFolder } from './work-folder.ts'

export interface PictureDeps {
  /** Null leaves every picture as it came. */
  readonly prepare: MediaTools['preparePicture'] | null
  readonly fetcher: Fetcher
}

/** What became of the pictures of one request. */
export interface Shrunk {
  /** Of all of them as they are sent; and by how much that is less than as they came. */
  readonly tokens: Tokens
  readonly saved: Tokens
}

/** One picture as it comes, bytes (image-tokens.md §2: the services take far more, and need far less). */
const LARGEST_PICTURE = bytes(20 * 1_024 * 1_024)
export const MOST_PICTURES = 100
const X_HEIGHT_PX = 8

/**
 * Q4: puts a picture of fewer tokens in the place of each that has one. Coordinates stay in proportion: nothing is cropped,
 * because an answer may speak of places in the picture. What is no picture we can read goes on as it came.
 */
export async function shrink(
  deps: PictureDeps,
  pictures: readonly BodyPicture[],
  target: Target,
  folder: WorkFolder,
  signal: AbortSignal,
): Promise<Shrunk> {
  const { prepare } = deps
  if (prepare === null) return { tokens: tokens(pictures.length * DEAREST_PICTURE), saved: tokens(0) }
  let [sent, saved] = [0, 0]
  for (const picture of pictures) {
    const result = await shrinkOne(prepare, deps.fetcher, picture, target, folder, signal)
    sent += result.tokens
    saved += result.saved
  }
  return { tokens: tokens(sent), saved: tokens(saved) }
}

async function shrinkOne(
  prepare: MediaTools['preparePicture'],
  fetcher: Fetcher,
  picture: BodyPicture,
  target: Target,
  folder: WorkFolder,
  signal: AbortSignal,
): Promise<Shrunk> {
  const file = await folder.write(await bytesOf(picture.url, fetcher, signal), LARGEST_PICTURE)
  const into = await folder.into()
  const options = {
    target: { provider: counterOf(target), model: target.model, detail: picture.detail },
    ...{ minXHeight: X_HEIGHT_PX, crop: false, slices: false, ocr: false },
  }
  const prepared = await prepare(file.path, into, options, signal).catch((error: unknown) => {
    if (error instanceof FaultError && error.code === 'unsupported_media') return null
    throw error
  })
  const [only] = prepared?.pictures ?? []
  if (prepared === null || only === undefined) return { tokens: DEAREST_PICTURE, saved: tokens(0) }
  const content = await readFile(join(into, only.file))
  picture.replace(`data:${only.mime};base64,${content.toString('base64')}`, only.detail)
  return { tokens: tokens(prepared.tokens), saved: tokens(Math.max(0, prepared.original.tokens - prepared.tokens)) }
}

/** Loopback plays OpenAI's models. */
const counterOf = ({ config }: Target) => (config.type === 'loopback' ? 'openai' : config.type)

async function bytesOf(
  url: string,
  fetcher: Fetcher,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | Iterable<Uint8Array>> {
  if (/^data:/i.test(url)) {
    const data = dataBytes(url)
    if (data === null) throw unreadable('The picture is no base64 data URL.')
    return [data]
  }
  const response = await fetcher.fetch({ url, method: 'GET', maxBytes: LARGEST_PICTURE, redirects: 3, signal })
  if (response.status === 200) return response.body()
  await response[Symbol.asyncDispose]()
  throw unreadable(`The picture could not be fetched: its server answered ${response.status}.`)
}

const unreadable = (message: string) => new FaultError('invalid_request', message, { param: 'image_url' })
