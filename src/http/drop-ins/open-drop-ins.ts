import { ForwardCalls } from '../../calls/forward-calls.ts'
import { type MediaCallsDeps, openMediaCalls } from '../../calls/open-media-calls.ts'
import { Fetcher } from '../../net/fetcher.ts'
import type { DropIns } from './drop-in-deps.ts'
import { sweepWorkFolders, WorkFolders } from './work-folder.ts'

export interface OpenDropInsDeps extends MediaCallsDeps {
  readonly nodeId: string
  readonly tools: DropIns['tools']
  isAlive(nodeId: string): Promise<boolean>
}

/** The drop-ins of a node: its calls, and a place for the files of requests under way. */
export async function openDropIns(deps: OpenDropInsDeps): Promise<DropIns & AsyncDisposable> {
  const { config, clock, nodeId, tools, isAlive } = deps
  const { dataDir } = config()
  await using stack = new AsyncDisposableStack()
  const { calls, buying } = stack.use(await openMediaCalls(deps))
  await sweepWorkFolders(dataDir, isAlive)
  const folders = new WorkFolders(dataDir, nodeId)
  stack.defer(() => folders.remove())
  const fetcher = new Fetcher(() => config().outbound, clock)
  const all = stack.move()
  return {
    ...{ calls, forwards: new ForwardCalls(buying), tools, folders, fetcher },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}
