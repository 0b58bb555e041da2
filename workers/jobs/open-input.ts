import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { FaultError } from '../../src/faults.ts'
import type { Job } from '../../src/media/job.ts'
import { blobName, type LocalFile } from '../../src/storage/storage.ts'
import { traced } from '../../src/traces/tracer.ts'
import type { JobTools } from './processor.ts'

/** The job's input as a file that tools can read. A URL is fetched here and nowhere else, never by what decodes it. */
export function openInput(job: Job, tools: JobTools, signal: AbortSignal): Promise<LocalFile> {
  return traced('open input', {}, () => open(job, tools, signal))
}

async function open(job: Job, tools: JobTools, signal: AbortSignal): Promise<LocalFile> {
  const { file_id, url, data } = job.input
  const path = join(tools.folder, 'input')
  if (file_id !== undefined) {
    if ((await tools.files.read(job.tenant, file_id)) === null) {
      throw new FaultError('not_found', 'the input file is not there any more')
    }
    return tools.storage.local(blobName(job.tenant, file_id))
  }
  if (url !== undefined) await fetchTo(path, url, tools, signal)
  else await writeFile(path, Buffer.from(data ?? '', 'base64'), { flag: 'wx', mode: 0o600 })
  return { path, [Symbol.asyncDispose]: async () => undefined }
}

async function fetchTo(path: string, url: string, { fetcher, config, progress }: JobTools, signal: AbortSignal) {
  progress({ stage: 'fetching', done: 0, total: 0 })
  const maxBytes = config().media.uploads.largestResumable
  await using response = await fetcher.fetch({ url, method: 'GET', maxBytes, redirects: 3, signal })
  if (response.status !== 200) {
    await response.head(0)
    throw new FaultError('fetch_failed', `the server of the URL answered ${response.status}`)
  }
  await pipeline(response.body(), createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal })
}
