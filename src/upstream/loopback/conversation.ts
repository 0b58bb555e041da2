import {
  add,
  type ContextPart,
  IMAGE_TOKENS,
  inputAudioTokens,
  itemTokens,
  NONE,
  type TokenCount,
  textTokens,
} from './usage.ts'

type Loose = Record<string, unknown>

/** One item as the server holds it: the object that callers see, and what they do not. */
export interface Item {
  id: string
  object: 'realtime.item'
  type: string
  status: 'in_progress' | 'completed' | 'incomplete'
  role?: string
  content?: Loose[]
  name?: string
  call_id?: string
  arguments?: string
  output?: string
}

interface Held {
  item: Item
  /** Raw audio in the format it came or went in. */
  audio: Buffer | null
  tokens: TokenCount
  /** Grows with every change, so that a cache knows. */
  version: number
}

/** Items of one session at most, and bytes of audio kept for speaking back. */
const MOST_ITEMS = 2_000
const MOST_AUDIO = 16 * 1_024 * 1_024

/** A conversation: its items in order, what they cost to read, and their audio. */
export class Conversation {
  #held: Held[] = []
  #audioBytes = 0

  get lastId(): string | null {
    return this.#held.at(-1)?.item.id ?? null
  }

  get isFull(): boolean {
    return this.#held.length >= MOST_ITEMS
  }

  find(id: string): Item | null {
    return this.#held.find((h) => h.item.id === id)?.item ?? null
  }

  audioOf(id: string): Buffer | null {
    return this.#held.find((h) => h.item.id === id)?.audio ?? null
  }

  /** Puts an item in; false when `after` names none. `root` is the beginning, undefined the end. */
  insert(
    item: Item,
    tokens: TokenCount,
    audio: Buffer | null,
    after?: string | null,
  ): { previous: string | null } | null {
    let at = this.#held.length
    if (after === 'root') at = 0
    else if (after !== undefined && after !== null) {
      at = this.#held.findIndex((h) => h.item.id === after) + 1
      if (at === 0) return null
    }
    this.#held.splice(at, 0, { item, audio, tokens, version: 0 })
    this.#audioBytes += audio?.length ?? 0
    this.#forgetOldAudio()
    return { previous: this.#held[at - 1]?.item.id ?? null }
  }

  /** New content, audio or cost of an item that is there. */
  change(id: string, tokens: TokenCount, audio: Buffer | null): void {
    const held = this.#held.find((h) => h.item.id === id)
    if (held === undefined) return
    this.#audioBytes += (audio?.length ?? 0) - (held.audio?.length ?? 0)
    held.audio = audio
    held.tokens = tokens
    held.version++
    this.#forgetOldAudio()
  }

  remove(id: string): boolean {
    const at = this.#held.findIndex((h) => h.item.id === id)
    if (at < 0) return false
    const [gone] = this.#held.splice(at, 1)
    this.#audioBytes -= gone?.audio?.length ?? 0
    return true
  }

  /** What a response reads, oldest first; the oldest give way when it is more than `most` tokens. */
  context(head: ContextPart, most: number): ContextPart[] {
    const items = this.#held.map((h) => ({
      fingerprint: `${h.item.id}.${h.version}`,
      tokens: itemTokens(h.tokens),
    }))
    let size = sum(head.tokens) + items.reduce((n, part) => n + sum(part.tokens), 0)
    while (size > most && items.length > 1) size -= sum(items.shift()?.tokens ?? NONE)
    return [head, ...items]
  }

  /** The last thing the user said or wrote, or a tool answered. */
  lastInput(): Item | null {
    for (let i = this.#held.length - 1; i >= 0; i--) {
      const item = this.#held[i]?.item
      if (item?.role === 'user' || item?.type === 'function_call_output') return item
    }
    return null
  }

  #forgetOldAudio(): void {
    for (const held of this.#held) {
      if (this.#audioBytes <= MOST_AUDIO) return
      this.#audioBytes -= held.audio?.length ?? 0
      held.audio = null
    }
  }
}

export const sum = (t: TokenCount): number => t.text + t.audio + t.image

/** What is written in an item. */
export function textOf(item: Loose | Item | null): string {
  const parts = (item?.content ?? []) as Loose[]
  return parts.map((part) => (typeof part.text === 'string' ? part.text : '')).join(' ')
}

/** What an item that a caller made costs to read. */
export function tokensOf(item: Loose, audioMs: number): TokenCount {
  let tokens: TokenCount = { ...NONE, audio: inputAudioTokens(audioMs) }
  for (const part of (item.content ?? []) as Loose[]) {
    if (typeof part.text === 'string') tokens = add(tokens, { ...NONE, text: textTokens(part.text) })
    if (part.type === 'input_image') tokens = add(tokens, { ...NONE, image: IMAGE_TOKENS })
  }
  for (const field of [item.arguments, item.output, item.name]) {
    if (typeof field === 'string') tokens = add(tokens, { ...NONE, text: textTokens(field) })
  }
  return tokens
}
