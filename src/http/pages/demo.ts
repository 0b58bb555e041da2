import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { authenticate } from '../../auth/authenticate.ts'
import { FaultError } from '../../faults.ts'
import { NO_SECRET_LIMITS } from '../../limits/accounts.ts'
import { minutes, nanoUsd } from '../../units.ts'
import { type ClientSecretDeps, mintFor, plainOrder } from '../mint.ts'
import { isLocalVisitor } from './local-visitor.ts'

export interface DemoDeps extends ClientSecretDeps {
  /** The key of the built-in set-up; null where a policy file names keys of its own, none of which is ever shown. */
  demoKey: string | null
}

/** What a visitor of the demo may use up, in case the machine is left alone with it. */
const LIFE_SECONDS = 60
const MOST = { ...NO_SECRET_LIMITS, maxDuration: minutes(10), budget: nanoUsd(500_000_000) }
/** Served by the loopback provider whatever keys there are: nothing is bought by looking at a page. */
const SESSION = {
  type: 'realtime',
  model: 'loopback',
  audio: { input: { transcription: { model: 'gpt-4o-mini-transcribe' }, turn_detection: { type: 'server_vad' } } },
} as const

/** What the landing page needs to try things out: on this machine, in the built-in set-up, and nowhere else. */
export function demoRoutes(app: OpenAPIHono, deps: DemoDeps): void {
  const requireDemo = (c: Context): string => {
    c.header('Cache-Control', 'no-store')
    if (deps.demoKey === null || !isLocalVisitor(c)) {
      throw new FaultError('not_found', 'There is nothing at this address.')
    }
    return deps.demoKey
  }
  app.get('/demo', (c) => c.json({ key: requireDemo(c) }))
  // What an application's own backend does for its page.
  app.post('/demo/secret', async (c) => {
    const value = requireDemo(c)
    const principal = await authenticate(deps.config(), deps.secrets, { value, origin: null }, deps.clock.now())
    const order = { ...plainOrder(SESSION, LIFE_SECONDS), user: 'landing', limits: MOST }
    const secret = await mintFor(deps, principal, order)
    return c.json({ value: secret.value, expires_at: secret.expiresAt })
  })
}
