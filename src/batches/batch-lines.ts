import { z } from 'zod'
import { detailsOf, InvalidRequest } from '../invalid-request.ts'
import { JobRequest } from '../media/job-request.ts'
import type { Cursor, LineError } from './batch.ts'

/** Bytes of one line, lines of one batch, and bytes of all of them (reference: queue API, batches). */
export const LONGEST_LINE = 64 * 1_024
export const MOST_LINES = 50_000
export const LARGEST_INPUT = 200 * 1_000_000

/** One line of the input, as it lies there. */
export interface RawLine {
  readonly number: number
  /** Null for one that is longer than a line may be. */
  readonly bytes: Buffer | null
  /** Where the next one begins. */
  readonly next: Cursor
}

/** What a line asks for. */
export interface BatchLine {
  readonly customId: string
  readonly request: JobRequest
  /** What of it the caller has said, so that a batch's own defaults fill in the rest. */
  readonly said: Readonly<Record<string, unknown>>
}

/** Lines from `from` on, one at a time; of one that is too long nothing is kept. Lines without anything on them are left out. */
export async function* rawLines(source: AsyncIterable<Uint8Array>, from: Cursor): AsyncGenerator<RawLine> {
  let { line, offset } = from
  let held: Buffer[] = []
  let length = 0
  const take = (end: number) => {
    offset += end
    const next = { line: line + 1, offset }
    const bytes = length > LONGEST_LINE ? null : Buffer.concat(held)
    const found = { number: line, bytes, next }
    line++
    held = []
    length = 0
    return found
  }
  const keep = (part: Uint8Array) => {
    length += part.length
    if (length <= LONGEST_LINE) held.push(Buffer.from(part))
    else held = []
  }
  for await (const chunk of source) {
    let at = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, at)) {
      keep(chunk.subarray(at, end))
      const found = take(length + 1)
      at = end + 1
      if (found.bytes === null || !isBlank(found.bytes)) yield found
    }
    keep(chunk.subarray(at))
  }
  if (length === 0) return
  const last = take(length)
  if (last.bytes === null || !isBlank(last.bytes)) yield last
}

/** Lines between two words of how far a batch has come, and bytes of them: what is done again after a death. */
const SHEET_LINES = 250
const SHEET_BYTES = 1_024 * 1_024

/** Lines in sheets of some hundred, in order; never an empty one. */
export async function* inSheets(lines: AsyncIterable<RawLine>): AsyncGenerator<RawLine[]> {
  let sheet: RawLine[] = []
  let size = 0
  for await (const line of lines) {
    sheet.push(line)
    size += line.bytes?.length ?? 0
    if (sheet.length < SHEET_LINES && size < SHEET_BYTES) continue
    yield sheet
    sheet = []
    size = 0
  }
  if (sheet.length > 0) yield sheet
}

const NEWLINE = 0x0a
const isBlank = (bytes: Buffer) => bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)

const Line = z.strictObject({
  custom_id: z.string().min(1).max(256),
  method: z.literal('POST'),
  url: z.literal('/v1/jobs'),
  body: z.looseObject({}).pipe(JobRequest),
})

/** What a line asks for, or everything that is wrong with it. */
export function readLine({ number, bytes }: RawLine): BatchLine | LineError[] {
  const wrong = (code: string, message: string, param: string | null = null) => [{ line: number, code, message, param }]
  if (bytes === null) return wrong('line_too_long', `A line takes ${LONGEST_LINE} bytes.`)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return wrong('invalid_json', 'The line is not valid JSON.')
  }
  const parsed = Line.safeParse(json)
  if (!parsed.success) return errorsOf(number, new InvalidRequest(detailsOf(parsed.error.issues, 'body')))
  const { custom_id, body } = parsed.data
  if (body.dry_run) return wrong('not_supported', 'A batch has no dry runs.', '/body/dry_run')
  const said = (json as { body: Record<string, unknown> }).body
  return { customId: custom_id, request: body, said }
}

/** What a request is refused for, as errors of its line. `prefix`: where in the line the request lies. */
export function errorsOf(line: number, refused: InvalidRequest, prefix = ''): LineError[] {
  return refused.details.map(({ code, message, pointer }) => ({ line, code, message, param: `${prefix}${pointer}` }))
}
