type Loose = Record<string, unknown>

/** A picture in a request, and the way to put another in its place. */
export interface BodyPicture {
  /** A data URL, or `https:`. */
  readonly url: string
  readonly detail: 'auto' | 'low' | 'high' | 'original'
  /** `detail` null leaves the caller's own. */
  replace(url: string, detail: string | null): void
}

export interface ReadBody {
  /** The body, free to be changed by `replace`; the caller's own object is left alone. */
  readonly body: Loose
  readonly pictures: readonly BodyPicture[]
  /** Everything in it that a model reads and that is no picture, and more: never less. */
  readonly text: string
  /** It refers to something that only the provider has. */
  readonly readsMore: boolean
}

const DETAILS = ['auto', 'low', 'high', 'original'] as const
/** Fields of a request that point to text of unknown length at the provider. */
const REFERENCES = ['previous_response_id', 'conversation', 'prompt'] as const
const DATA_PLACE = '(picture)'

/** Finds the pictures of a chat completion (`messages`) or a response (`input`). Pure. */
export function readBody(written: Readonly<Loose>): ReadBody {
  const body = structuredClone(written) as Loose
  const pictures: BodyPicture[] = []
  let readsMore = REFERENCES.some((name) => body[name] !== undefined && body[name] !== null)
  for (const part of partsOf(body)) {
    const found = pictureOf(part)
    if (found !== null) pictures.push(found)
    else if (part.type === 'input_image' || part.type === 'input_file' || part.type === 'file') readsMore = true
  }
  return { body, pictures, text: textOf(body), readsMore }
}

/** Content parts of all messages and items, those of a tool's answer too. */
function partsOf(body: Loose): Loose[] {
  const messages = [...listOf(body.messages), ...listOf(body.input)]
  return messages.flatMap((message) => [...listOf(message.content), ...listOf(message.output)])
}

/** `image_url` is an object in a chat's part, and a string in a response's. */
function pictureOf(part: Loose): BodyPicture | null {
  const inner = part.image_url
  if (part.type === 'image_url' && typeof inner === 'object' && inner !== null) {
    const holder = inner as Loose
    return pictureAt(holder, 'url', holder)
  }
  if (part.type !== 'input_image' && part.type !== 'image_url') return null
  return pictureAt(part, 'image_url', part)
}

function pictureAt(holder: Loose, key: string, detailHolder: Loose): BodyPicture | null {
  const url = holder[key]
  if (typeof url !== 'string' || !/^(data:|https?:)/i.test(url)) return null
  return {
    url,
    detail: DETAILS.find((known) => known === detailHolder.detail) ?? 'auto',
    replace: (next, detail) => {
      holder[key] = next
      if (detail !== null) detailHolder.detail = detail
    },
  }
}

/** The body as it is sent, without what pictures there are in it. */
function textOf(body: Loose): string {
  return JSON.stringify(body, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith('data:image/') ? DATA_PLACE : value,
  )
}

const listOf = (value: unknown): Loose[] =>
  Array.isArray(value) ? value.filter((item): item is Loose => typeof item === 'object' && item !== null) : []

/** The bytes of a base64 data URL; null for one that is none. */
export function dataBytes(url: string): Buffer | null {
  const head = /^data:[^,;]{0,100}(?:;[^,;]{0,100})*;base64,/i.exec(url)
  return head === null ? null : Buffer.from(url.slice(head[0].length), 'base64')
}
