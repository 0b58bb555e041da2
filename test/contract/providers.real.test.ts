import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import { Loopback } from '../../src/upstream/loopback/server.ts'
import { Parley, voices } from '../support/parley.ts'
import { providerContract } from './provider-contract.ts'

type Providers = NonNullable<PolicyInput['providers']>

/** How each kind of provider is configured to reach the player at `baseUrl`, and what it must be dialled with. */
const KINDS: [kind: string, provider: (baseUrl: string) => Providers[string], path: string, header: string][] = [
  [
    'openai',
    (baseUrl) => ({ type: 'openai', apiKey: 'sk-provider-secret', baseUrl, organization: 'org-1', project: 'proj-1' }),
    '/v1/realtime',
    'authorization',
  ],
  [
    'azure',
    (baseUrl) => ({ type: 'azure', apiKey: 'sk-provider-secret', endpoint: baseUrl.replace(/\/v1$/, '') }),
    '/openai/v1/realtime',
    'api-key',
  ],
  [
    'openai-compatible',
    (baseUrl) => ({ type: 'openai-compatible', apiKey: 'sk-provider-secret', baseUrl }),
    '/v1/realtime',
    'authorization',
  ],
]

describe.each(KINDS)('the contract of providers: %s', (_, provider, path, header) => {
  const stack = new AsyncDisposableStack()
  let player: Loopback
  let parley: Parley
  beforeAll(async () => {
    await voices.ready
    player = stack.use(
      await Loopback.start({ listen: { port: 0 }, clock: systemClock, voices, key: 'sk-provider-secret' }),
    )
    parley = stack.use(await Parley.start({ policy: { providers: { play: provider(player.baseUrl) } } }))
  })
  afterAll(() => stack.disposeAsync())

  providerContract(() => parley)

  test('W3 is dialled at its own address with its own credential, and without the beta header', () => {
    for (const upgrade of player.upgrades) {
      expect(new URL(upgrade.url, 'http://x').pathname).toBe(path)
      expect(upgrade.headers[header]).toBe('(given)')
      expect(upgrade.headers['openai-beta']).toBeUndefined()
      if (header === 'api-key') expect(upgrade.headers.authorization).toBeUndefined()
    }
    expect(player.upgrades.length).toBeGreaterThan(5)
  })
})

describe('the contract of providers: loopback, in this process', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start({ policy: { providers: { play: { type: 'loopback' } } } })
  })
  afterAll(() => parley[Symbol.asyncDispose]())
  providerContract(() => parley)
})
