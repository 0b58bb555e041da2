import { fork } from 'node:child_process'
import { freePort, nodeOptions, type RelayKind, RelayProcess } from './relay.ts'

/** A minimal relay on `ws`: what every ratio is measured against. */
export const bare: RelayKind = {
  name: 'bare',
  missing: () => null,
  async start({ upstreamPort }) {
    const port = await freePort()
    const child = fork(new URL('./bare-relay.ts', import.meta.url), [String(port), String(upstreamPort)], {
      execArgv: nodeOptions(),
    })
    return new RelayProcess('bare', { port, path: '/v1/realtime?model=gpt-realtime', headers: {} }, child).listening()
  },
}
