import { readChatUsage } from '../meter/read-usage.ts'
import type { Usage } from '../meter/usage.ts'

type Loose = Readonly<Record<string, unknown>>

/** A plain answer that is larger is passed on and not looked into, bytes. */
const LARGEST_LOOKED_INTO = 32 * 1_024 * 1_024
/** Longest single event that is held back until its end is there, bytes. */
const LONGEST_EVENT = 4 * 1_024 * 1_024

/** What an answer that passed through has told of itself. */
export interface Overheard {
  /** Null where it told no usage. */
  usage: Usage | null
  /** Pieces of text that came, and bytes in all: what is known of an answer that broke off. */
  deltas: number
  bytes: number
  /** It says that it was cut at its limit. */
  isCut: boolean
}

export const nothingHeard = (): Overheard => ({ usage: null, deltas: 0, bytes: 0, isCut: false })

/**
 * Passes an answer on byte for byte and notes its usage. Streams of events are passed event by event; `dropsUsage` keeps the
 * one event back that tells nothing but the usage which the caller had not asked for.
 */
export async function* overhear(
  body: AsyncIterable<Uint8Array>,
  isStream: boolean,
  heard: Overheard,
  dropsUsage: boolean,
): AsyncGenerator<Uint8Array, void, void> {
  yield* isStream ? events(body, heard, dropsUsage) : plain(body, heard)
}

async function* plain(body: AsyncIterable<Uint8Array>, heard: Overheard): AsyncGenerator<Uint8Array, void, void> {
  const parts: Uint8Array[] = []
  for await (const chunk of body) {
    heard.bytes += chunk.byteLength
    if (heard.bytes <= LARGEST_LOOKED_INTO) parts.push(chunk)
    yield chunk
  }
  if (heard.bytes <= LARGEST_LOOKED_INTO) note(parse(Buffer.concat(parts).toString('utf8')), heard)
}

async function* events(
  body: AsyncIterable<Uint8Array>,
  heard: Overheard,
  dropsUsage: boolean,
): AsyncGenerator<Uint8Array, void, void> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of body) {
    heard.bytes += chunk.byteLength
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    for (let end = endOf(rest); end > 0; end = endOf(rest)) {
      const event = rest.subarray(0, end)
      rest = rest.subarray(end)
      const value = parse(dataOf(event))
      note(value, heard)
      if (!dropsUsage || !tellsOnlyUsage(value)) yield event
    }
    if (rest.length <= LONGEST_EVENT) continue
    yield rest
    rest = Buffer.alloc(0)
  }
  if (rest.length === 0) return
  note(parse(dataOf(rest)), heard)
  yield rest
}

/** Where the first event ends, its empty line included; 0 where it does not yet. */
function endOf(bytes: Buffer): number {
  const [unix, dos] = [bytes.indexOf('\n\n'), bytes.indexOf('\r\n\r\n')]
  if (unix < 0 && dos < 0) return 0
  return unix >= 0 && (dos < 0 || unix < dos) ? unix + 2 : dos + 4
}

function dataOf(event: Buffer): string {
  const lines = event.toString('utf8').split(/\r?\n/)
  return lines.flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : [])).join('\n')
}

function parse(text: string): Loose | null {
  if (text === '' || text === '[DONE]') return null
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Loose) : null
  } catch {
    // It is the caller's to make sense of; without usage it is booked as an estimate.
    return null
  }
}

/** Chat completions tell `usage` beside their choices, responses inside the `response` of their last event. */
function note(value: Loose | null, heard: Overheard): void {
  if (value === null) return
  const inner = (value.response ?? value) as Loose
  heard.usage = readChatUsage(inner.usage) ?? heard.usage
  const choices = (Array.isArray(value.choices) ? value.choices : []) as Loose[]
  if (typeof value.delta === 'string' || choices.some(({ delta }) => delta !== undefined && delta !== null))
    heard.deltas++
  const [choice] = choices
  if (choice?.finish_reason === 'length' || inner.status === 'incomplete') heard.isCut = true
}

const tellsOnlyUsage = (value: Loose | null): boolean =>
  value !== null && Array.isArray(value.choices) && value.choices.length === 0 && readChatUsage(value.usage) !== null
