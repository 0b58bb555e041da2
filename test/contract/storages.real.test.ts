import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { FolderStorage } from '../../src/storage/folder-storage.ts'
import { S3Storage } from '../../src/storage/s3-storage.ts'
import { blobName } from '../../src/storage/storage.ts'
import { S3Server } from '../support/s3-server.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { storageContract } from './storage-contract.ts'

storageContract('a folder', async () => {
  const folder = new TempFolder()
  const storage = await FolderStorage.open(folder.path, 0, systemClock.now())
  return {
    storage,
    leftovers: async () => (await readdir(join(folder.path, '.incoming'))).length,
    [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
  }
})

async function bucket(stack: AsyncDisposableStack) {
  const server = stack.use(await S3Server.start())
  const scratch = stack.use(new TempFolder()).path
  const keys = { accessKeyId: 'id', secretAccessKey: 'secret' }
  const place = { type: 's3', bucket: 'media', region: 'us-east-1', endpoint: server.url, pathStyle: true } as const
  const storage = stack.use(await S3Storage.open({ ...place, ...keys }, scratch))
  return { server, scratch, storage }
}

storageContract('a bucket', async () => {
  const stack = new AsyncDisposableStack()
  const { server, scratch, storage } = await bucket(stack)
  return {
    storage,
    leftovers: async () => server.uploads.size + (await readdir(scratch)).length,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
})

async function* one(byte: number): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(byte)
}

describe('a folder', () => {
  test('Q1 takes nothing while less is free than its reserve', async () => {
    using folder = new TempFolder()
    const storage = await FolderStorage.open(folder.path, Number.MAX_SAFE_INTEGER, systemClock.now())
    expect(await storage.room()).toBeLessThan(0)
    await expect(storage.write(blobName('acme', 'x'), one(1), 1)).rejects.toMatchObject({ code: 'storage_full' })
  })

  test('Q1 follows no link out of itself', async () => {
    using folder = new TempFolder()
    using outside = new TempFolder()
    await writeFile(join(outside.path, 'secret'), 'x')
    const storage = await FolderStorage.open(folder.path, 0, systemClock.now())
    await symlink(outside.path, join(folder.path, 'acme'))
    await mkdir(join(folder.path, 'zenith'))
    await symlink(join(outside.path, 'secret'), join(folder.path, 'zenith', 'secret'))
    await expect(storage.read(blobName('acme', 'secret'))).rejects.toThrow(RangeError)
    await expect(storage.write(blobName('acme', 'other'), one(1), 1)).rejects.toThrow(RangeError)
    await expect(storage.remove(blobName('acme', 'secret'))).rejects.toThrow(RangeError)
    await expect(storage.read(blobName('zenith', 'secret'))).rejects.toThrow(/ELOOP/)
    expect(await readdir(outside.path)).toEqual(['secret'])
  })

  test('Q1 forgets what a process that died left behind, a day later', async () => {
    using folder = new TempFolder()
    const incoming = join(folder.path, '.incoming')
    await mkdir(incoming)
    await writeFile(join(incoming, 'old'), 'x')
    await writeFile(join(incoming, 'new'), 'x')
    const now = systemClock.now()
    await utimes(join(incoming, 'old'), now / 1_000 - 90_000, now / 1_000 - 90_000)
    await FolderStorage.open(folder.path, 0, now)
    expect(await readdir(incoming)).toEqual(['new'])
  })
})

describe('a bucket', () => {
  test('Q1 that fails is a storage that is away for now', async () => {
    await using stack = new AsyncDisposableStack()
    const { server, storage } = await bucket(stack)
    server.failing = 500
    const name = blobName('acme', 'x')
    const away = { code: 'storage_unavailable', retryAfterMs: 5_000 }
    await expect(storage.write(name, one(1), 1)).rejects.toMatchObject(away)
    await expect(storage.read(name)).rejects.toMatchObject(away)
    await expect(storage.size(name)).rejects.toMatchObject(away)
    await expect(storage.remove(name)).rejects.toMatchObject(away)
    await expect(storage.removeAll('acme')).rejects.toMatchObject(away)
  })

  test('Q1 where nobody listens is one as well', async () => {
    await using stack = new AsyncDisposableStack()
    const { server, storage } = await bucket(stack)
    await server[Symbol.asyncDispose]()
    await expect(storage.size(blobName('acme', 'x'))).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  test('Q1 things of others in it are left alone', async () => {
    await using stack = new AsyncDisposableStack()
    const { server, storage } = await bucket(stack)
    server.objects.set('somebody else', Buffer.alloc(1)).set('a/../b', Buffer.alloc(1))
    for await (const name of storage.list()) expect(name).toBe('none of them')
  })
})
