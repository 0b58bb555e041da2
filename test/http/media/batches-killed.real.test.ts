import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Batch, isOver } from '../../../src/batches/batch.ts'
import { BatchStore } from '../../../src/store/batches.ts'
import { ms } from '../../../src/units.ts'
import { eventually } from '../../support/eventually.ts'
import { MediaCaller } from '../../support/media-caller.ts'
import { finished, forAll, mediaWorld } from '../../support/media-workers.ts'
import { Parley, policy } from '../../support/parley.ts'

const CHILD = fileURLToPath(new URL('../../support/batch-child.ts', import.meta.url))
const LINES = 600
const plans = { default: { jobs: { requestsPerMinute: null, running: 50 } } }
const names = Array.from({ length: LINES }, (_, i) => `line-${i}`)
const input = names
  .map((custom_id) => ({
    ...{ custom_id, method: 'POST', url: '/v1/jobs' },
    body: { type: 'audio.prepare', input: { url: 'https://media.example/a.wav' }, metadata: { line: custom_id } },
  }))
  .map((line) => JSON.stringify(line))
  .join('\n')

const stack = new AsyncDisposableStack()
let parley: Parley
beforeAll(async () => {
  parley = stack.use(await Parley.start({ policy: { plans } }))
})
afterAll(() => stack.disposeAsync())

test('Q1 every line of a batch ends once although whoever works on it is killed in every phase', {
  timeout: 180_000,
}, async () => {
  const world = await mediaWorld(parley.store.place, parley.config.dataDir, stack, { plans })
  stack.use(await world.workers(forAll({ run: async (job) => finished({ line: job.metadata.line }) })))
  const caller = new MediaCaller(parley)
  const file = await caller.form({ file: new File([input], 'in.jsonl'), purpose: 'batch' })
  const body = { input_file_id: file.body.id, endpoint: '/v1/jobs', completion_window: '24h' }
  const { id } = (await caller.post('/v1/batches', body, { 'Idempotency-Key': 'killed' })).body
  const batches = new BatchStore(parley.store.redis, () => ms(60_000))
  const read = async (): Promise<Batch> => (await batches.read('acme', id)) ?? expect.fail('no batch')

  const killedWhile = new Map<string, number>()
  for (let batch = await read(); !isOver(batch.status); batch = await read()) {
    const args = [
      CHILD,
      ...[parley.store.place, policy(null, parley.config.dataDir, { plans })].map((each) => JSON.stringify(each)),
    ]
    const child: ChildProcess = spawn(process.execPath, args, { stdio: 'inherit' })
    const before = placeOf(batch)
    await eventually(
      async () => {
        batch = await read()
        if (!isOver(batch.status)) expect(placeOf(batch)).not.toBe(before)
      },
      60_000,
      5,
    )
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    killedWhile.set(batch.status, (killedWhile.get(batch.status) ?? 0) + 1)
  }
  expect([...killedWhile.keys()]).toEqual(expect.arrayContaining(['validating', 'in_progress', 'finalizing']))

  const batch = await read()
  expect(batch).toMatchObject({ status: 'completed', total: LINES, made: LINES, succeeded: LINES, refused: 0 })
  expect(batch.errorFileId).toBe(null)
  const { text } = await caller.get(`/v1/files/${batch.outputFileId}/content`)
  const results = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { custom_id: string; response: { body: { id: string; result: object } } })
  expect(results.map(({ custom_id }) => custom_id)).toEqual(names)
  expect(new Set(results.map(({ response }) => response.body.id)).size).toBe(LINES)
  for (const { custom_id, response } of results) {
    expect(response.body.result).toMatchObject({ value: { line: custom_id } })
  }
  // Sheets, names and places are gone with the end; what is left is the input and the output.
  const left: string[] = []
  for await (const name of world.storage.list()) left.push(name)
  expect(left.toSorted()).toEqual([`acme/${file.body.id}`, `acme/${batch.outputFileId}`].toSorted())
  const [, keys] = await parley.store.redis.scan('0', 'MATCH', `*batch:${id}*`, 'COUNT', 1_000_000)
  expect(keys.map((key) => key.split(id)[1]).toSorted()).toEqual(['', ':jobs', ':record'])
})

/** Where a batch stands, as far as a process that dies can have brought it. */
const placeOf = ({ status, seen, cursor, resultCursor }: Batch) =>
  [status, seen, cursor.line, resultCursor.line].join(' ')
