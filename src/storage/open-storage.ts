import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { Instant } from '../units.ts'
import { FolderStorage } from './folder-storage.ts'
import { S3Storage } from './s3-storage.ts'
import type { Storage } from './storage.ts'

/** The storage that the configuration names. Rejects with `storage_unavailable` where its folder cannot be made. */
export async function openStorage({ media, dataDir }: Config, now: Instant): Promise<Storage> {
  const { storage, uploads } = media
  if (storage.type === 'folder') return FolderStorage.open(storage.path, uploads.reserve, now)
  return S3Storage.open(storage, join(dataDir, 'scratch'))
}
