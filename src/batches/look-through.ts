import { InvalidRequest } from '../invalid-request.ts'
import type { LineError } from './batch.ts'
import { type BatchLine, errorsOf, inSheets, LARGEST_INPUT, MOST_LINES, type RawLine, readLine } from './batch-lines.ts'
import type { BatchWork } from './batch-work.ts'

/** Errors that are told of one input. */
const MOST_ERRORS = 1_000

/**
 * Looks at every line before anything is begun: a batch with a mistake in it costs nothing. Goes on at the line that was not
 * looked at yet, whoever looked at those before it. Throws BatchLost.
 */
export async function lookThrough(work: BatchWork, signal: AbortSignal): Promise<void> {
  const about = (code: string, message: string): LineError => ({ line: null, code, message, param: null })
  const { tenant, inputFileId } = work.batch
  const file = await work.deps.files.read(tenant, inputFileId)
  if (file === null) return fail(work, [about('not_found', 'The input of the batch is gone.')])
  if (file.bytes > LARGEST_INPUT) {
    return fail(work, [about('payload_too_large', `The input takes ${LARGEST_INPUT} bytes.`)])
  }
  for await (const sheet of inSheets(work.lines(work.batch.cursor))) {
    signal.throwIfAborted()
    const { seen, errors } = work.batch
    const tooMany = sheet[MOST_LINES - seen]
    const found = [...errors, ...(await mistakesIn(work, sheet))]
    if (tooMany !== undefined) found.push(tooManyLines(tooMany))
    if (tooMany !== undefined || found.length >= MOST_ERRORS) return fail(work, found)
    const cursor = (sheet.at(-1) as RawLine).next
    await work.write({ cursor, seen: seen + sheet.length, ...(found.length > 0 ? { errors: found } : {}) })
    if (work.batch.cancelAsked) break
  }
  const { seen, errors } = work.batch
  if (seen === 0) return fail(work, [about('empty', 'The input has no lines.')])
  if (errors.length > 0) return fail(work, errors)
  await work.write({ status: 'in_progress', total: seen, cursor: { line: 1, offset: 0 } })
}

const fail = (work: BatchWork, errors: readonly LineError[]) =>
  work.write({ status: 'failed', errors: errors.slice(0, MOST_ERRORS) })

const tooManyLines = ({ number }: RawLine): LineError => ({
  ...{ line: number, code: 'too_many_lines', message: `A batch takes ${MOST_LINES} lines.`, param: null },
})

/** Everything that is wrong with some lines, in their order. */
async function mistakesIn(work: BatchWork, sheet: readonly RawLine[]): Promise<LineError[]> {
  const read = sheet.map((raw) => ({ number: raw.number, line: readLine(raw) }))
  const named = read.flatMap(({ number, line }) => (Array.isArray(line) ? [] : [{ number, name: line.customId }]))
  const taken = new Set(await work.names(named))
  return read.flatMap(({ number, line }) => {
    if (Array.isArray(line)) return line
    const twice = { line: number, code: 'duplicate', message: 'Another line has this custom_id.', param: '/custom_id' }
    return [...(taken.has(number) ? [twice] : []), ...orderErrors(work, number, line)]
  })
}

function orderErrors(work: BatchWork, number: number, line: BatchLine): LineError[] {
  try {
    work.order(number, line)
    return []
  } catch (error) {
    if (error instanceof InvalidRequest) return errorsOf(number, error, '/body')
    throw error
  }
}
