import { systemClock } from '../../src/clock.ts'
import { Loopback } from '../../src/upstream/loopback/server.ts'
import { voices } from './parley.ts'

/**
 * The provider, played in the test's own process. It speaks `speed` times as fast as it is heard; at 1, which it is when
 * left out, answers last.
 */
export async function startProvider(stack: AsyncDisposableStack, speed = 1): Promise<Loopback> {
  const listen = { port: 0 }
  return stack.use(await Loopback.start({ listen, clock: systemClock, voices, key: 'sk-provider-secret', speed }))
}
