import type { Config } from '../../config/config.ts'
import { FaultError } from '../../faults.ts'
import { invalid } from '../../invalid-request.ts'
import type { Job } from '../../media/job.ts'
import type { Probed } from '../../media/media-tools.ts'
import { blobName, type Storage } from '../../storage/storage.ts'
import type { FileStore } from '../../store/files.ts'
import type { DropIns } from '../drop-ins/drop-in-deps.ts'
import type { WorkFolder } from '../drop-ins/work-folder.ts'

export interface PlannedInputDeps {
  config(): Config
  storage: Storage
  files: FileStore
  /** Where work on media is done; null on a node that does none, which then plans by what is known of a file. */
  dropIns: Pick<DropIns, 'tools' | 'folders' | 'fetcher'> | null
}

/** What a job would work on, as far as it has to be looked at. */
export interface PlannedInput {
  /** Where in the request it stands. */
  readonly pointer: string
  readonly fileId: string | null
  readonly bytes: number
  readonly mime: string
  readonly media: Probed
  /** Its file, and an empty folder; null on a node that does no work on media. */
  readonly work: { readonly path: string; readonly into: string } | null
}

/**
 * Hands a job's input to `plan`; what had to be fetched or written for it is gone afterwards. Throws InvalidRequest, what the
 * fetcher rejects with, and what looking into media does.
 */
export async function withPlannedInput<T>(
  job: Job,
  deps: PlannedInputDeps,
  signal: AbortSignal,
  plan: (input: PlannedInput) => Promise<T>,
): Promise<T> {
  if (deps.dropIns === null) return plan(await knownFile(job, deps))
  await using folder = await deps.dropIns.folders.open()
  if (job.input.file_id === undefined)
    return await plan(await broughtFile(job, { ...deps, ...deps.dropIns }, folder, signal))
  const file = await readFile(job, deps)
  await using local = await deps.storage.local(blobName(file.tenant, file.id))
  const media = file.media ?? (await deps.dropIns.tools.probe(local.path, signal))
  const work = { path: local.path, into: await folder.into() }
  return await plan({ pointer: '/input/file_id', fileId: file.id, bytes: file.bytes, mime: media.mime, media, work })
}

async function readFile(job: Job, { files }: PlannedInputDeps) {
  const file = await files.read(job.tenant, job.input.file_id ?? '')
  if (file === null) throw invalid('/input/file_id', 'not_found', 'There is no such file.')
  if (file.purpose !== 'batch') return file
  throw invalid('/input/file_id', 'unsupported_media', 'A list of lines is no media.')
}

async function knownFile(job: Job, deps: PlannedInputDeps): Promise<PlannedInput> {
  if (job.input.file_id === undefined) throw invalid('/input', 'not_supported', 'Here only a file can be planned for.')
  const { id, bytes, media } = await readFile(job, deps)
  const pointer = '/input/file_id'
  if (media === null) throw invalid(pointer, 'not_supported', 'Nothing is known of what is in this file.')
  return { pointer, fileId: id, bytes, mime: media.mime, media, work: null }
}

type WithTools = PlannedInputDeps & Pick<DropIns, 'tools' | 'fetcher'>

async function broughtFile(
  { input }: Job,
  deps: WithTools,
  folder: WorkFolder,
  signal: AbortSignal,
): Promise<PlannedInput> {
  const { largest } = deps.config().media.uploads
  const { url } = input
  const source = url === undefined ? [Buffer.from(input.data ?? '', 'base64')] : await fetched(url, deps, signal)
  const { path, bytes } = await folder.write(source, largest)
  const media = await deps.tools.probe(path, signal)
  const pointer = url === undefined ? '/input/data' : '/input/url'
  return { pointer, fileId: null, bytes, mime: media.mime, media, work: { path, into: await folder.into() } }
}

async function fetched(url: string, { fetcher, config }: WithTools, signal: AbortSignal) {
  const maxBytes = config().media.uploads.largest
  const response = await fetcher.fetch({ url, method: 'GET', maxBytes, redirects: 3, signal })
  if (response.status === 200) return response.body()
  await response[Symbol.asyncDispose]()
  throw new FaultError('fetch_failed', `The server of the URL answered ${response.status}.`)
}
