import { type Bytes, bytes } from '../../units.ts'

/** One turn of the conversation as text; what a provider needs to go on with it. */
export interface JournalItem {
  id: string
  type: 'message' | 'function_call' | 'function_call_output'
  role?: 'system' | 'user' | 'assistant'
  text?: string
  name?: string
  callId?: string
  /** JSON text of a call's arguments, or a call's output. */
  payload?: string
}

type Loose = Record<string, unknown>

/** Text kept of one conversation. Past it the oldest turns are folded into a line that says so. */
export const JOURNAL_LIMIT: Bytes = bytes(64 * 1024)

/**
 * The conversation as the provider holds it, written down as text from its own events. Audio is not kept: a user turn is
 * its transcript, an assistant turn the transcript of what was played.
 */
export class Journal {
  readonly #items = new Map<string, JournalItem>()
  #order: string[] = []
  #folded = 0
  #size = 0
  /** Counts changes, so that a writer can tell whether there is anything new to store. */
  #revision = 0

  static from(items: readonly JournalItem[]): Journal {
    const journal = new Journal()
    for (const item of items) journal.#put(item, undefined)
    return journal
  }

  get revision(): number {
    return this.#revision
  }

  /** Items in conversation order. */
  items(): JournalItem[] {
    return this.#order.flatMap((id) => this.#items.get(id) ?? [])
  }

  /** `conversation.item.added`, `.created`, `.done` and `response.output_item.done`: the newest form of an item. */
  saw(raw: unknown, previousId?: unknown): void {
    const item = readItem(raw)
    if (item === null) return
    const known = this.#items.get(item.id)
    // A later form of an audio item has no text yet when its transcript comes by another road.
    if (known !== undefined && (item.text === undefined || item.text === '')) item.text = known.text ?? ''
    this.#put(item, previousId)
  }

  transcribed(itemId: unknown, transcript: unknown): void {
    if (typeof itemId !== 'string' || typeof transcript !== 'string') return
    const item = this.#items.get(itemId)
    if (item !== undefined) this.#put({ ...item, text: transcript }, undefined)
  }

  /** The caller heard only `heard` of `said` (any one unit): the rest of the text was never spoken to anybody. */
  truncated(itemId: unknown, heard: number, said: number): void {
    if (typeof itemId !== 'string') return
    const item = this.#items.get(itemId)
    if (item?.text === undefined || said <= 0) return
    const share = Math.min(1, Math.max(0, heard / said))
    const cut = item.text.slice(0, Math.floor(item.text.length * share))
    const lastWord = share === 1 ? cut.length : cut.lastIndexOf(' ')
    this.#put({ ...item, text: cut.slice(0, Math.max(0, lastWord)) }, undefined)
  }

  deleted(itemId: unknown): void {
    if (typeof itemId === 'string') this.#remove(itemId)
  }

  /** The `item` of one `conversation.item.create` after another that puts a new conversation where this one stood. */
  replay(): Loose[] {
    const out: Loose[] = []
    if (this.#folded > 0) {
      const text = `The first ${this.#folded} turns of this conversation are not available any more.`
      out.push({ type: 'message', role: 'system', content: [{ type: 'input_text', text }] })
    }
    const answered = new Set(this.items().flatMap((i) => (i.type === 'function_call_output' ? [i.callId] : [])))
    const called = new Set(this.items().flatMap((i) => (i.type === 'function_call' ? [i.callId] : [])))
    for (const item of this.items()) {
      if (item.type === 'function_call' && answered.has(item.callId)) {
        out.push({ type: 'function_call', call_id: item.callId, name: item.name, arguments: item.payload ?? '{}' })
      } else if (item.type === 'function_call_output' && called.has(item.callId)) {
        out.push({ type: 'function_call_output', call_id: item.callId, output: item.payload ?? '' })
      } else if (item.type === 'message' && item.text !== undefined && item.text !== '') {
        const type = item.role === 'assistant' ? 'output_text' : 'input_text'
        out.push({ type: 'message', role: item.role, content: [{ type, text: item.text }] })
      }
    }
    return out
  }

  #put(item: JournalItem, previousId: unknown): void {
    const known = this.#items.get(item.id)
    if (known === undefined) {
      const at = typeof previousId === 'string' ? this.#order.indexOf(previousId) : -1
      if (previousId === 'root') this.#order.unshift(item.id)
      else if (at >= 0) this.#order.splice(at + 1, 0, item.id)
      else this.#order.push(item.id)
    }
    this.#size += sizeOf(item) - (known === undefined ? 0 : sizeOf(known))
    this.#items.set(item.id, item)
    this.#revision++
    while (this.#size > JOURNAL_LIMIT && this.#order.length > 1) {
      this.#remove(this.#order[0] as string)
      this.#folded++
    }
  }

  #remove(id: string): void {
    const item = this.#items.get(id)
    if (item === undefined) return
    this.#size -= sizeOf(item)
    this.#items.delete(id)
    this.#order = this.#order.filter((other) => other !== id)
    this.#revision++
  }
}

function sizeOf(item: JournalItem): number {
  return 64 + (item.text?.length ?? 0) + (item.payload?.length ?? 0)
}

function readItem(raw: unknown): JournalItem | null {
  if (typeof raw !== 'object' || raw === null) return null
  const { id, type, role, content, name, call_id, arguments: args, output } = raw as Loose
  if (typeof id !== 'string') return null
  if (type === 'function_call' && typeof call_id === 'string' && typeof name === 'string') {
    return { id, type, name, callId: call_id, payload: typeof args === 'string' ? args : '{}' }
  }
  if (type === 'function_call_output' && typeof call_id === 'string') {
    return { id, type, callId: call_id, payload: typeof output === 'string' ? output : '' }
  }
  if (type === 'message' && (role === 'system' || role === 'user' || role === 'assistant')) {
    return { id, type, role, text: textOf(content) }
  }
  return null
}

function textOf(content: unknown): string {
  if (!Array.isArray(content)) return ''
  return content
    .map((part: Loose) => (typeof part?.text === 'string' ? part.text : part?.transcript))
    .filter((text): text is string => typeof text === 'string')
    .join(' ')
}
