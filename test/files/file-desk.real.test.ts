import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { configFrom } from '../../src/config/read-config.ts'
import { FileDesk, type FileOrder } from '../../src/files/file-desk.ts'
import { newId } from '../../src/media/ids.ts'
import { FolderStorage } from '../../src/storage/folder-storage.ts'
import { FileStore } from '../../src/store/files.ts'
import { keys } from '../../src/store/keys.ts'
import { later, type Ms, ms } from '../../src/units.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { policy, silent, TempFolder } from '../support/parley.ts'
import { TestStore } from '../support/store.ts'

const never = new AbortController().signal
const HOUR = ms(3_600_000)

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  for (const letter of text) yield Buffer.from(letter)
}

describe('files', () => {
  const stack = new AsyncDisposableStack()
  const clock = new ManualClock()
  let redis: Redis
  let config: Config
  let files: FileStore
  let storage: FolderStorage
  let desk: FileDesk

  beforeAll(async () => {
    clock.pass(1_764_000_000_000)
    const { store } = stack.use(await TestStore.open())
    redis = store.redis
    const folder = stack.use(new TempFolder())
    const plans = { default: {}, small: { jobs: { storage: 100, files: 3 } } }
    const tenants = {
      acme: { keys: [] },
      paper: { keys: [] },
      zenith: { keys: [], plan: 'small' },
      third: { keys: [], plan: 'small' },
    }
    config = configFrom(policy(null, folder.path, { plans, tenants }))
    storage = await FolderStorage.open(folder.path, 0, clock.now())
    files = new FileStore(store.redis, () => clock.now())
    desk = new FileDesk({ clock, log: silent, storage, files, tools: null, config: () => config })
  })
  afterAll(() => stack.disposeAsync())

  const order = (tenant: string, changes: Partial<FileOrder> = {}): FileOrder => ({
    ...{ tenant, keyId: 'k', purpose: () => 'media', filename: 'a.wav', most: 50, keep: HOUR },
    ...changes,
  })
  const take = (tenant: string, text: string, changes: Partial<FileOrder> = {}) =>
    desk.take(order(tenant, changes), bytesOf(text), never)
  const blobs = async (tenant: string) => {
    const found: string[] = []
    for await (const name of storage.list())
      if (name.startsWith(`${tenant}/`)) found.push(name.slice(tenant.length + 1))
    return found.sort()
  }

  test('Q1 a file is ready once all of it is there, and nobody else has it', async () => {
    const file = await take('acme', 'hello')
    expect(file).toMatchObject({
      ...{ tenant: 'acme', status: 'ready', bytes: 5, filename: 'a.wav', purpose: 'media', createdAt: clock.now() },
      sha256: createHash('sha256').update('hello').digest('hex'),
      expiresAt: later(clock.now(), HOUR),
    })
    expect(await files.read('acme', file.id)).toEqual(file)
    expect(await files.read('zenith', file.id)).toBe(null)
    expect(await desk.remove('zenith', file.id)).toBe('none')
    expect(await desk.remove('acme', file.id)).toBe('gone')
    expect(await files.read('acme', file.id)).toBe(null)
    expect(await blobs('acme')).toEqual([])
  })

  test('Q1 what is given up, too large or empty leaves neither bytes nor record', async () => {
    async function* broken() {
      yield Buffer.from('hel')
      throw new Error('cut')
    }
    await expect(desk.take(order('acme'), broken(), never)).rejects.toThrow('cut')
    await expect(take('acme', 'x'.repeat(51))).rejects.toMatchObject({ code: 'payload_too_large' })
    await expect(take('acme', '')).rejects.toMatchObject({ code: 'invalid_request' })
    expect(await files.held('acme')).toEqual({ bytes: 0, files: 0 })
    expect(await blobs('acme')).toEqual([])
  })

  test('Q7 many uploads at once do not pass a quota that each of them would keep', async () => {
    const all = await Promise.allSettled(Array.from({ length: 20 }, () => take('zenith', 'x', { most: 40 })))
    // A hundred bytes hold two promises of forty; whoever came after one was kept may have found room again.
    const kept = all.filter((one) => one.status === 'fulfilled').map((one) => one.value)
    expect(kept.length).toBeGreaterThanOrEqual(2)
    expect(kept.length).toBeLessThanOrEqual(3)
    for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'storage_full' })
    expect(await files.held('zenith')).toEqual({ bytes: kept.length, files: kept.length })
    for (const { id } of kept) await desk.remove('zenith', id)
    expect(await files.held('zenith')).toEqual({ bytes: 0, files: 0 })
  })

  test('Q1 a file that jobs need stays until the last of them is done with it', async () => {
    const { id } = await take('acme', 'hello')
    expect(await files.claim('acme', id, 'job_a', later(clock.now(), ms(5 * HOUR)))).toBe(true)
    expect(await files.claim('acme', id, 'job_b', later(clock.now(), ms(6 * HOUR)))).toBe(true)
    expect(await files.claim('zenith', id, 'job_c', later(clock.now(), HOUR))).toBe(false)
    clock.pass(ms(2 * HOUR))
    expect(await desk.sweep(never)).toBe(0)
    expect(await desk.remove('acme', id)).toBe('needed')
    await desk.release('acme', id, 'job_a', ms(0))
    expect(await files.read('acme', id)).not.toBe(null)
    await desk.release('acme', id, 'job_b', ms(0))
    expect(await files.read('acme', id)).toBe(null)
    expect(await blobs('acme')).toEqual([])
    expect(await files.held('acme')).toEqual({ bytes: 0, files: 0 })
  })

  test('Q1 a claim that came to nothing leaves the file as it was; one that nobody takes back ends by itself', async () => {
    const { id, expiresAt } = await take('acme', 'hello')
    await files.claim('acme', id, 'job_a', later(clock.now(), ms(9 * HOUR)))
    await desk.release('acme', id, 'job_a', null)
    expect(await files.read('acme', id)).toMatchObject({ expiresAt })
    await files.claim('acme', id, 'job_b', later(clock.now(), ms(2 * HOUR)))
    clock.pass(ms(2 * HOUR + 1))
    expect(await desk.sweep(never)).toBe(1)
    expect(await blobs('acme')).toEqual([])
  })

  test('Q1 of a file that expires its tenant is told once; of one that it removes itself, and of what never came, it is not', async () => {
    const news = async () =>
      (await redis.zrange(`${keys.tenant('paper')}:jobs:news`, '0', '-1')).map((line) => JSON.parse(String(line)))
    const { id } = await take('paper', 'hello')
    const removed = await take('paper', 'hello')
    await desk.remove('paper', removed.id)
    const promised = { id: newId('file', clock.now()), tenant: 'paper', keyId: 'k', filename: null, bytes: 40 }
    await files.reserve({ ...promised, expiresAt: later(clock.now(), HOUR) }, { storage: null, files: null })
    clock.pass(ms(48 * HOUR))
    // One that dies before the bytes are gone is followed by another.
    expect(await files.condemn('paper', id, 'expiry')).toBe('gone')
    await desk.sweep(never)
    await desk.sweep(never)
    expect(await files.exists('paper', id)).toBe(false)
    expect(await news()).toMatchObject([{ id: `msg_${id.slice(5)}_1`, type: 'file.expired', job: id, seq: 1 }])
    expect(await redis.sismember(keys.jobTenants, 'paper')).toBe(1)
  })

  test.each([0 as Ms, HOUR])('Q1 an input lives %i ms longer than its job', async (keep) => {
    const { id } = await take('acme', 'hello')
    await files.claim('acme', id, 'job_a', later(clock.now(), ms(9 * HOUR)))
    await desk.release('acme', id, 'job_a', keep)
    clock.pass(ms(Math.max(0, keep - 1)))
    expect(await files.read('acme', id)).toEqual(keep === 0 ? null : expect.anything())
    clock.pass(ms(1))
    await desk.sweep(never)
    expect(await files.read('acme', id)).toBe(null)
  })

  test('Q1 what a process left behind when it died is swept: promises, and files half removed', async () => {
    const at = clock.now()
    const promised = newId('file', at)
    const file = { id: promised, tenant: 'acme', keyId: 'k', filename: null } as const
    await files.reserve({ ...file, bytes: 40, expiresAt: later(at, HOUR) }, { storage: null, files: null })
    const { id } = await take('acme', 'hello')
    await files.condemn('acme', id, 'owner')
    expect(await files.read('acme', promised)).toBe(null)
    expect(await files.held('acme')).toEqual({ bytes: 45, files: 2 })
    expect(await desk.sweep(never)).toBe(1)
    clock.pass(HOUR)
    expect(await desk.sweep(never)).toBe(1)
    expect(await files.held('acme')).toEqual({ bytes: 0, files: 0 })
    expect(await blobs('acme')).toEqual([])
  })

  test('Q1 lists are newest first, in pages that meet, whichever way one turns them', async () => {
    const made: string[] = []
    for (let i = 0; i < 7; i++) {
      clock.pass(ms(1))
      made.unshift((await take('acme', 'x', i % 2 === 0 ? {} : { purpose: () => 'batch' })).id)
    }
    const page = async (filter: { after?: string; before?: string; purpose?: 'batch' }) => {
      const { files: found, hasMore } = await files.list('acme', { limit: 3, ...filter })
      return [found.map((file) => made.indexOf(file.id)), hasMore]
    }
    expect(await page({})).toEqual([[0, 1, 2], true])
    expect(await page({ after: made[2]! })).toEqual([[3, 4, 5], true])
    expect(await page({ after: made[5]! })).toEqual([[6], false])
    expect(await page({ before: made[6]! })).toEqual([[3, 4, 5], true])
    expect(await page({ before: made[3]! })).toEqual([[0, 1, 2], false])
    expect(await page({ purpose: 'batch' })).toEqual([[1, 3, 5], false])
    expect((await files.list('zenith', { limit: 3 })).files).toEqual([])
    for (const id of made) await desk.remove('acme', id)
    expect((await files.list('acme', { limit: 3 })).files).toEqual([])
  })
})
