import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Providers } from '../../src/calls/providers.ts'
import { systemClock } from '../../src/clock.ts'
import type { ProviderConfig } from '../../src/config/config.ts'
import { ms } from '../../src/units.ts'
import { LoopbackMedia } from '../../src/upstream/loopback/media/media-server.ts'
import { Loopback } from '../../src/upstream/loopback/server.ts'
import { voices } from '../support/parley.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { LONG_ENOUGH_MS, type MediaProviderUnderTest, mediaProviderContract, ORDER } from './media-provider.ts'

const dial = { timeout: ms(5_000), attempts: 1, backoff: { first: ms(1), longest: ms(1) } }
const apiKey = 'sk-provider-secret'

const KINDS: [kind: string, config: (baseUrl: string) => ProviderConfig][] = [
  ['openai', (baseUrl) => ({ type: 'openai', apiKey, baseUrl, organization: 'org-1', project: 'proj-1', dial })],
  ['azure', (baseUrl) => ({ type: 'azure', apiKey, endpoint: baseUrl.replace(/\/v1$/, ''), dial })],
  ['openai-compatible', (baseUrl) => ({ type: 'openai-compatible', apiKey, baseUrl, dial })],
]

describe.each(KINDS)('the contract of media providers: %s', (_, config) => {
  const stack = new AsyncDisposableStack()
  let under: MediaProviderUnderTest
  beforeAll(async () => {
    const folder = stack.use(new TempFolder())
    const player = stack.use(await Loopback.start({ listen: { port: 0 }, clock: systemClock, voices, key: apiKey }))
    const providers = stack.use(
      new Providers({ clock: systemClock, loopbackSocket: '', timeout: () => ms(under.timeout) }),
    )
    under = {
      provider: providers.get('play', config(player.baseUrl)),
      service: player.media,
      folder: folder.path,
      timeout: LONG_ENOUGH_MS,
    }
  })
  afterAll(() => stack.disposeAsync())
  mediaProviderContract(() => under)
})

describe('the contract of media providers: loopback', () => {
  const stack = new AsyncDisposableStack()
  let under: MediaProviderUnderTest
  beforeAll(async () => {
    const folder = stack.use(new TempFolder())
    const socket = join(folder.path, 'loopback.sock')
    const media = stack.use(await LoopbackMedia.start(socket, systemClock))
    const providers = stack.use(
      new Providers({ clock: systemClock, loopbackSocket: socket, timeout: () => ms(under.timeout) }),
    )
    under = {
      provider: providers.get('play', { type: 'loopback', dial }),
      service: media.door,
      folder: folder.path,
      timeout: LONG_ENOUGH_MS,
    }
  })
  afterAll(() => stack.disposeAsync())
  mediaProviderContract(() => under)

  test('Q5 a provider that is not there is told from one that failed: nothing was bought', async () => {
    const folder = stack.use(new TempFolder())
    const loopbackSocket = join(folder.path, 'nobody.sock')
    const providers = stack.use(
      new Providers({ clock: systemClock, loopbackSocket, timeout: () => ms(LONG_ENOUGH_MS) }),
    )
    const call = providers.get('play', { type: 'loopback', dial }).transcribe(ORDER, new AbortController().signal)
    await expect(call).rejects.toMatchObject({ kind: 'unavailable', mayBeBought: false })
  })
})
