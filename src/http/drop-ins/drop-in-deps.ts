import type { ForwardCalls } from '../../calls/forward-calls.ts'
import type { MediaCalls } from '../../calls/media-calls.ts'
import type { MediaTools } from '../../media/media-tools.ts'
import type { Fetcher } from '../../net/fetcher.ts'
import type { GuardDeps } from '../media/guard.ts'
import type { WorkFolders } from './work-folder.ts'

/** Work on media that a node does. */
export type MediaWork = Pick<MediaTools, 'probe' | 'prepareAudio' | 'preparePicture'>

/** A caller that wants its media sent as it is says so in this header: `off`. */
export const PREPARE_HEADER = 'x-parley-prepare'

/** What the drop-ins need beside who is calling. */
export interface DropIns {
  readonly calls: MediaCalls
  readonly forwards: ForwardCalls
  readonly tools: MediaWork
  readonly folders: WorkFolders
  readonly fetcher: Fetcher
}

export interface DropInDeps extends GuardDeps {
  readonly dropIns: DropIns
}
