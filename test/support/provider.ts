import { systemClock } from '../../src/clock.ts'
import { Loopback } from '../../src/upstream/loopback/server.ts'
import { voices } from './parley.ts'

/** The provider, played in the test's own process; it speaks no faster than it is heard, so that answers last. */
export async function startProvider(stack: AsyncDisposableStack): Promise<Loopback> {
  const listen = { port: 0 }
  return stack.use(await Loopback.start({ listen, clock: systemClock, voices, key: 'sk-provider-secret', speed: 1 }))
}
