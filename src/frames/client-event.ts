/** One event of a caller, parsed and within bounds, or why it was not. `eventId` is the caller's own, where it gave one. */
export type ParsedClientEvent =
  | { ok: true; type: string; eventId: string | null; value: Record<string, unknown> }
  | { ok: false; code: 'invalid_json' | 'invalid_event'; message: string; eventId: string | null }

/** Bounds of one event (reference: hardening, the edge). */
const DEEPEST = 24
const MOST_KEYS = 512

/**
 * Parses a caller's event. Refuses what parsers may read in different ways (duplicate keys, `__proto__`) and what is
 * built to hurt them (depth, key counts): a frame must mean the same here and at the provider.
 */
export function parseClientEvent(bytes: Buffer): ParsedClientEvent {
  const json = bytes.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return { ok: false, code: 'invalid_json', message: 'The event is not valid JSON.', eventId: null }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, code: 'invalid_event', message: 'An event must be a JSON object.', eventId: null }
  }
  const event = value as Record<string, unknown>
  const eventId = typeof event.event_id === 'string' ? event.event_id.slice(0, 512) : null
  const trouble = outline(json)
  if (trouble !== null) return { ok: false, code: 'invalid_event', message: trouble, eventId }
  if (typeof event.type !== 'string') {
    return { ok: false, code: 'invalid_event', message: "The event has no string 'type'.", eventId }
  }
  return { ok: true, type: event.type, eventId, value: event }
}

/** One string, or one bracket, brace or comma of legal JSON; strings are taken whole so that what they hold is not seen. */
const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|[[\]{}]/gs

/** Walks the brackets and keys of legal JSON. Null when all is well, else what is wrong. */
function outline(json: string): string | null {
  const open: (Set<string> | null)[] = []
  for (const match of json.matchAll(TOKEN)) {
    const token = match[0]
    if (token === '{' || token === '[') {
      if (open.length >= DEEPEST) return `The event is nested deeper than ${DEEPEST} levels.`
      open.push(token === '{' ? new Set() : null)
    } else if (token === '}' || token === ']') {
      open.pop()
    } else if (match[1] !== undefined) {
      const keys = open.at(-1)
      if (keys === null || keys === undefined) continue
      const key = keyOf(token.slice(0, token.length - match[1].length))
      if (key === '__proto__') return "The key '__proto__' is not allowed."
      if (keys.has(key)) return `The key '${key.slice(0, 64)}' is given twice.`
      keys.add(key)
      if (keys.size > MOST_KEYS) return `An object has more than ${MOST_KEYS} keys.`
    }
  }
  return null
}

function keyOf(quoted: string): string {
  return quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)
}
