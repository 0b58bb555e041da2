import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FaultError } from '../../src/faults.ts'
import { readTranscriptionForm } from '../../src/http/drop-ins/transcription-form.ts'
import { WorkFolder } from '../../src/http/drop-ins/work-folder.ts'

let folder: WorkFolder
beforeEach(() => {
  folder = new WorkFolder(mkdtempSync(join(tmpdir(), 'parley-form-')))
})
afterEach(() => rmSync(folder.path, { recursive: true, force: true }))

const BOUNDARY = '1f1283dd53e65e7c63b06e57c9a42844'
const TYPE = `multipart/form-data; boundary=${BOUNDARY}`

/** A form as the Python package writes it (openai 3.22, recorded): fields in its own order, the file last. */
function pythonForm(fields: readonly (readonly [string, string])[], file: string | null = 'RIFFxxxx'): Buffer {
  const parts = fields.map(
    ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const head = 'Content-Disposition: form-data; name="file"; filename="talk.wav"\r\nContent-Type: audio/x-wav'
  const last = file === null ? '' : `--${BOUNDARY}\r\n${head}\r\n\r\n${file}\r\n`
  return Buffer.from(`${parts.join('')}${last}--${BOUNDARY}--\r\n`)
}

async function* once(bytes: Buffer) {
  yield bytes
}
const read = (bytes: Buffer, largest = 1_000) => readTranscriptionForm(TYPE, once(bytes), folder, largest)
const fault = (promise: Promise<unknown>): Promise<FaultError> =>
  promise.then(
    () => {
      throw new Error('it was to fail')
    },
    (error: unknown) => error as FaultError,
  )

test("Q2 the Python package's form: scalars, lists and the file", async () => {
  const form = await read(
    pythonForm([
      ['model', 'whisper-1'],
      ['language', 'en'],
      ['prompt', 'hi'],
      ['response_format', 'verbose_json'],
      ['temperature', '0.2'],
      ['timestamp_granularities[]', 'word'],
      ['timestamp_granularities[]', 'segment'],
    ]),
  )
  expect(form).toMatchObject({
    ...{ model: 'whisper-1', language: 'en', prompt: 'hi', format: 'verbose_json', temperature: 0.2 },
    ...{ timestamps: ['word', 'segment'], logprobs: false, stream: false, more: [], file: { bytes: 8 } },
  })
  expect(readFileSync(form.file.path, 'utf8')).toBe('RIFFxxxx')
})

test("Q2 the Python package's nested fields go on as they came", async () => {
  const more = [
    ['chunking_strategy[type]', 'server_vad'],
    ['chunking_strategy[threshold]', '0.5'],
    ['known_speaker_names[]', 'a'],
    ['known_speaker_names[]', 'b'],
    ['known_speaker_references[]', 'data:audio/wav;base64,AA'],
  ] as const
  const form = await read(
    pythonForm([
      ['model', 'gpt-4o-transcribe-diarize'],
      ...more,
      ['response_format', 'diarized_json'],
      ['stream', 'true'],
    ]),
  )
  expect(form).toMatchObject({ more, stream: true, format: 'diarized_json' })
})

test('Q2 what is left out is the default of the service', async () => {
  const form = await read(
    pythonForm([
      ['model', 'gpt-4o-transcribe'],
      ['include[]', 'logprobs'],
    ]),
  )
  expect(form).toMatchObject({ format: 'json', language: null, prompt: null, temperature: null, logprobs: true })
})

test.each([
  ['no model', pythonForm([]), { param: 'model' }],
  ['no file', pythonForm([['model', 'm']], null), { param: 'file' }],
  [
    'an unknown format',
    pythonForm([
      ['model', 'm'],
      ['response_format', 'xml'],
    ]),
    { param: 'response_format' },
  ],
  [
    'a temperature out of range',
    pythonForm([
      ['model', 'm'],
      ['temperature', '2'],
    ]),
    { param: 'temperature' },
  ],
  [
    'times without verbose_json',
    pythonForm([
      ['model', 'm'],
      ['timestamp_granularities[]', 'word'],
    ]),
    { code: 'invalid_request' },
  ],
  ['too large a file', pythonForm([['model', 'm']], 'x'.repeat(1_001)), { code: 'payload_too_large' }],
])('W4 %s is refused by name', async (_, bytes, expected) => {
  const error = await fault(read(bytes))
  expect(error).toBeInstanceOf(FaultError)
  expect(error).toMatchObject(expected)
})

test('W4 what is no form is refused', async () => {
  expect(await fault(readTranscriptionForm('application/json', once(Buffer.from('{}')), folder, 10))).toMatchObject({
    code: 'invalid_request',
  })
})
