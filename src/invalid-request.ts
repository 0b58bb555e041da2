/** One thing that is wrong with a request. */
export interface ProblemDetail {
  readonly in: 'body' | 'query' | 'header' | 'path'
  /** JSON Pointer into the body; the name of a parameter elsewhere. */
  readonly pointer: string
  /** Stable snake_case; readers must expect more to come. */
  readonly code: string
  readonly message: string
}

/** A request that can be read and makes no sense: everything that is wrong with it at once. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest'
  readonly details: readonly ProblemDetail[]

  constructor(details: readonly ProblemDetail[]) {
    super('The request is not valid.')
    this.details = details
  }
}

/** One thing that is wrong with the body. */
export const invalid = (pointer: string, code: string, message: string) =>
  new InvalidRequest([{ in: 'body', pointer, code, message }])

/** What a schema says. */
interface Issue {
  readonly code: string
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly keys?: readonly string[]
}

/** What a schema found, each thing by itself. */
export function detailsOf(issues: readonly object[], place: ProblemDetail['in']): ProblemDetail[] {
  return (issues as readonly Issue[]).flatMap(({ code, path, message, keys }) => {
    if (keys === undefined) return [{ in: place, pointer: pointerTo(path, place), code: code ?? 'custom', message }]
    const unknown = { in: place, code: 'unknown_field', message: 'There is no such field.' }
    return keys.map((key) => ({ ...unknown, pointer: pointerTo([...path, key], place) }))
  })
}

function pointerTo(path: readonly PropertyKey[], place: ProblemDetail['in']): string {
  if (place !== 'body') return path.map(String).join('.')
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
