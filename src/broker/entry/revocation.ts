import type { Config } from '../../config/config.ts'
import type { Directory } from '../node/directory.ts'

/** Ends the sessions of this node whose tenant was suspended or removed, or whose key was revoked. Returns how many. */
export function endRevoked(directory: Directory, { tenants }: Config): number {
  let ended = 0
  for (const session of directory.all()) {
    const tenant = tenants.get(session.head.tenant)
    const isGood = tenant?.suspended === false && tenant.keys.some((key) => key.id === session.head.keyId)
    if (isGood || session.state.phase === 'draining') continue
    session.dispatch({ type: 'end_requested', reason: 'credential_revoked' })
    ended++
  }
  return ended
}
