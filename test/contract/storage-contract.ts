import { createHash, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { blobName, type Storage } from '../../src/storage/storage.ts'

/** Where storage stands in a test, and what can be seen of it from outside. */
export interface StorageStage extends AsyncDisposable {
  readonly storage: Storage
  /** Whatever is left of writes that did not come to an end. */
  leftovers(): Promise<number>
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function* broken(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
  throw new Error('the line is cut')
}

async function names(storage: Storage): Promise<string[]> {
  const found: string[] = []
  for await (const name of storage.list()) found.push(name)
  return found.sort()
}

/** What every storage promises (src/storage/storage.ts). */
export function storageContract(name: string, open: () => Promise<StorageStage>): void {
  describe(`storage in ${name}`, () => {
    const small = randomBytes(1_000)
    const note = blobName('acme', 'file_1')

    test('Q1 gives back what was written, whole or in part, and says what it was', async () => {
      await using stage = await open()
      const { storage } = stage
      // More than two parts of an upload, in pieces that fit none of them.
      const large = randomBytes(20_000_000)
      for (const bytes of [small, large, Buffer.alloc(0)]) {
        const written = await storage.write(note, pieces(bytes, 65_537), bytes.length)
        expect(written).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
        expect((await buffer(await storage.read(note))).equals(bytes)).toBe(true)
        expect(await storage.size(note)).toBe(bytes.length)
      }
      await storage.write(note, pieces(small, 7), 1_000)
      expect(await buffer(await storage.read(note, { first: 10, last: 12 }))).toEqual(small.subarray(10, 13))
      expect(await stage.leftovers()).toBe(0)
    })

    test('Q1 nothing remains of what was too large, broke off or was given up; what was there before stays', async () => {
      await using stage = await open()
      const { storage } = stage
      await storage.write(note, pieces(small, 100), 1_000)
      const large = randomBytes(12_000_000)
      await expect(storage.write(note, pieces(small, 100), 999)).rejects.toMatchObject({ code: 'payload_too_large' })
      await expect(storage.write(note, pieces(large, 65_536), 11_999_999)).rejects.toMatchObject({
        code: 'payload_too_large',
      })
      await expect(storage.write(note, broken(large), 12_000_000)).rejects.toThrow('the line is cut')
      const gone = new AbortController()
      async function* givenUp() {
        yield* pieces(large, 65_536)
        gone.abort(new Error('the caller has left'))
        yield small
      }
      await expect(storage.write(note, givenUp(), 1e9, gone.signal)).rejects.toThrow('the caller has left')
      expect(await buffer(await storage.read(note))).toEqual(small)
      expect(await stage.leftovers()).toBe(0)
      expect(await names(storage)).toEqual([note])
    })

    test('Q1 what is not there is not found, and may be removed', async () => {
      await using stage = await open()
      const { storage } = stage
      expect(await storage.size(note)).toBe(null)
      await expect(storage.read(note).then(buffer)).rejects.toMatchObject({ code: 'not_found' })
      await expect(storage.local(note)).rejects.toMatchObject({ code: 'not_found' })
      await storage.remove(note)
      await storage.removeAll('acme')
      await storage.removeAll('acme/job_1')
    })

    test('Q1 a tool gets a file it can seek in, for as long as it needs it', async () => {
      await using stage = await open()
      await stage.storage.write(note, pieces(small, 100), 1_000)
      const local = await stage.storage.local(note)
      expect(await readFile(local.path)).toEqual(small)
      expect((await stat(local.path)).mode & 0o777).toBe(0o600)
      await local[Symbol.asyncDispose]()
      expect(await buffer(await stage.storage.read(note))).toEqual(small)
    })

    test('Q1 a folder goes with all that is in it, and with nothing of its neighbours', async () => {
      await using stage = await open()
      const { storage } = stage
      const mine = ['1', '2', '3', '4', '5', '6', '7'].map((part) => blobName('acme', 'job_1', part))
      const kept = [blobName('acme', 'job_10', '1'), blobName('acme', 'job_2'), blobName('acme2', 'job_1', '1')]
      for (const each of [...mine, ...kept]) await storage.write(each, pieces(small, 1_000), 1_000)
      expect(await names(storage)).toEqual([...mine, ...kept].sort())
      await storage.remove(mine[0]!)
      await storage.removeAll('acme/job_1')
      expect(await names(storage)).toEqual([...kept].sort())
      await storage.removeAll('acme')
      expect(await names(storage)).toEqual([blobName('acme2', 'job_1', '1')])
    })

    test('Q1 many who write one name at once leave one whole blob', async () => {
      await using stage = await open()
      const all = Array.from({ length: 20 }, () => randomBytes(50_000))
      await Promise.all(all.map((bytes) => stage.storage.write(note, pieces(bytes, 1_000), 50_000)))
      const kept = await buffer(await stage.storage.read(note))
      expect(all.some((bytes) => bytes.equals(kept))).toBe(true)
      expect(await stage.leftovers()).toBe(0)
    })
  })
}
