import { FaultError } from '../faults.ts'

/** One part of a form. Its body must be read, or left, before the next part is asked for. */
export interface FormPart {
  readonly name: string
  /** Null for a plain field. */
  readonly filename: string | null
  readonly type: string | null
  readonly body: AsyncIterable<Uint8Array>
}

/** Longest head of a part, and longest plain field, bytes. */
const LONGEST_HEAD = 8_192
const LONGEST_FIELD = 64 * 1_024
const MOST_PARTS = 64

/** The boundary of `multipart/form-data`; null for another type. Throws `invalid_request` where it is missing. */
export function boundaryOf(contentType: string | undefined): string | null {
  if (contentType === undefined || !/^multipart\/form-data\s*(;|$)/i.test(contentType)) return null
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType)
  const found = boundary?.[1] ?? boundary?.[2]
  if (found === undefined) throw malformed('it names no boundary')
  return found
}

/** Reads a form as it comes (RFC 7578): no part is ever held in memory. Throws `invalid_request` for what is no form. */
export async function* formParts(source: AsyncIterable<Uint8Array>, boundary: string): AsyncGenerator<FormPart> {
  const delimiter = Buffer.from(`\r\n--${boundary}`)
  const scanner = new Scanner(source)
  try {
    for await (const _preamble of scanner.until(delimiter));
    for (let count = 0; ; count++) {
      if ((await scanner.take(2)).equals(Buffer.from('--'))) return
      if (count === MOST_PARTS) throw malformed(`it has more than ${MOST_PARTS} parts`)
      const head = (await collect(scanner.until(Buffer.from('\r\n\r\n')), LONGEST_HEAD)).toString('utf8')
      const body = scanner.until(delimiter)
      yield { ...partHead(head), body }
      for await (const _rest of body);
    }
  } finally {
    await scanner.close()
  }
}

/** A plain field's value. */
export async function fieldText(part: FormPart): Promise<string> {
  return (await collect(part.body, LONGEST_FIELD)).toString('utf8')
}

async function collect(source: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > most) throw malformed('a part of it is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** What stands before a part's body; the two bytes after its delimiter have been taken, so a plain CRLF is gone. */
function partHead(head: string): Omit<FormPart, 'body'> {
  let disposition = ''
  let type: string | null = null
  for (const line of head.split('\r\n')) {
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(line) ?? []
    if (name?.toLowerCase() === 'content-disposition') disposition = value ?? ''
    if (name?.toLowerCase() === 'content-type') type = value ?? null
  }
  const name = parameter(disposition, 'name')
  if (!/^form-data\s*;/i.test(disposition) || name === null) throw malformed('a part of it has no name')
  return { name, filename: parameter(disposition, 'filename'), type }
}

function parameter(disposition: string, name: string): string | null {
  const found = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))`, 'i').exec(disposition)
  if (found === null) return null
  // Browsers spell these three as URLs do; other clients put a backslash before a quote.
  const text = (found[1] ?? found[2] ?? '').replace(/\\(["\\])/g, '$1')
  return text.replace(/%22/g, '"').replace(/%0D/gi, '\r').replace(/%0A/gi, '\n')
}

const malformed = (why: string) => new FaultError('invalid_request', `The form cannot be read: ${why}.`)

/** Bytes of a stream, up to a mark that may lie across chunks. */
class Scanner {
  readonly #source: AsyncIterator<Uint8Array>
  /** Begins as if a line had just ended: the first delimiter may come without one. */
  #held: Buffer = Buffer.from('\r\n')

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async take(bytes: number): Promise<Buffer> {
    while (this.#held.length < bytes) await this.#more()
    const taken = this.#held.subarray(0, bytes)
    this.#held = this.#held.subarray(bytes)
    return taken
  }

  async *until(mark: Buffer): AsyncGenerator<Uint8Array> {
    for (;;) {
      const at = this.#held.indexOf(mark)
      // Of bytes that may begin the mark, all but the last chunk's tail are known not to.
      const sure = at === -1 ? this.#held.length - mark.length + 1 : at
      if (sure > 0) {
        const chunk = this.#held.subarray(0, sure)
        this.#held = this.#held.subarray(sure)
        yield chunk
      }
      if (at !== -1) {
        this.#held = this.#held.subarray(mark.length)
        return
      }
      await this.#more()
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #more(): Promise<void> {
    const { value, done } = await this.#source.next()
    if (done === true) throw malformed('it ends too soon')
    this.#held = this.#held.length === 0 ? Buffer.from(value) : Buffer.concat([this.#held, value])
  }
}
