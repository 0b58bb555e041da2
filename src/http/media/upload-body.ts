import type { Context } from 'hono'
import { FaultError } from '../../faults.ts'
import { invalid } from '../../invalid-request.ts'
import { FILE_PURPOSES, type FilePurpose } from '../../media/media-file.ts'
import { tooLarge } from '../../storage/measured.ts'
import type { Bytes } from '../../units.ts'
import { boundaryOf, type FormPart, fieldText, formParts } from '../multipart.ts'

/** The bytes of one file on their way in. */
export interface UploadBody {
  readonly source: AsyncIterable<Uint8Array>
  /** Bytes at the most. */
  readonly most: number
  readonly filename: string | null
  /** Asked at the end: fields of a form may follow the file. */
  purpose(): FilePurpose
}

/** What a form has beside its file, bytes. */
const FORM_OVERHEAD = 64 * 1_024
const LONGEST_NAME = 255
/** Outputs are made here, never sent. */
const SENT = FILE_PURPOSES.filter((purpose) => purpose !== 'output')

/** A file as the whole body, or as the part `file` of a form, of at most `largest` bytes. */
export async function uploadBody(
  c: Context,
  query: { purpose?: string | undefined; filename?: string | undefined },
  largest: Bytes,
): Promise<UploadBody> {
  const body = c.req.raw.body
  const boundary = boundaryOf(c.req.header('content-type'))
  const length = lengthOf(c)
  const most = boundary === null ? largest : largest + FORM_OVERHEAD
  if (length !== null && length > most) throw tooLarge(largest)
  if (body === null) throw new FaultError('invalid_request', 'The file is empty.')
  const fits = Math.min(length ?? largest, largest)
  if (boundary === null) {
    const purpose = purposeOf(query.purpose)
    return { source: body, most: fits, filename: nameOf(query.filename ?? null), purpose: () => purpose }
  }
  return fromForm(formParts(capped(body, most, largest), boundary), fits)
}

/** Null where the body comes in chunks; a body whose end nobody tells is refused. */
function lengthOf(c: Context): number | null {
  if (c.req.header('transfer-encoding') !== undefined) return null
  const length = c.req.header('content-length')
  if (length === undefined) throw new FaultError('length_required', 'Send Content-Length, or the body in chunks.')
  return Number(length)
}

/** A form's fields are not storage's to count, so all of its bytes are. */
async function* capped(source: AsyncIterable<Uint8Array>, most: number, told: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of source) {
    bytes += chunk.length
    if (bytes > most) throw tooLarge(told)
    yield chunk
  }
}

async function fromForm(parts: AsyncGenerator<FormPart>, most: number): Promise<UploadBody> {
  let purpose: FilePurpose = 'media'
  const field = async (part: FormPart) => {
    if (part.name === 'purpose') purpose = purposeOf(await fieldText(part))
    else throw invalid(`/${part.name.slice(0, 64)}`, 'unknown_field', 'There is no such field.')
  }
  for (;;) {
    const { value: part, done } = await parts.next()
    if (done === true) throw invalid('/file', 'required', 'The form has no part named file.')
    if (part.name !== 'file') {
      await field(part)
      continue
    }
    async function* source() {
      yield* part!.body
      for await (const rest of parts) await field(rest)
    }
    return { source: source(), most, filename: nameOf(part.filename), purpose: () => purpose }
  }
}

function purposeOf(text: string | undefined): FilePurpose {
  const found = SENT.find((purpose) => purpose === (text ?? 'media'))
  if (found === undefined) throw invalid('/purpose', 'invalid_value', `One of ${SENT.join(', ')}.`)
  return found
}

/** What is left of a name without folders and without what no name should hold; null where nothing is. */
export function nameOf(filename: string | null): string | null {
  const last = filename?.split(/[/\\]/).at(-1) ?? ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const clean = last.replace(/[\u0000-\u001f\u007f]/g, '').slice(0, LONGEST_NAME)
  return clean === '' ? null : clean
}
