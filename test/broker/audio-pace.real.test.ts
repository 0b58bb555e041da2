import { once } from 'node:events'
import { expect, test } from 'vitest'
import { Caller } from '../support/caller.ts'
import { demo, Parley } from '../support/parley.ts'
import { RawUpstream } from '../support/raw-upstream.ts'

/** 100 ms of 24 kHz PCM16, and its number. */
const piece = (n: number) => {
  const pcm = Buffer.alloc(4_800)
  pcm.writeUInt32LE(n)
  return { type: 'input_audio_buffer.append', audio: pcm.toString('base64') }
}
const PIECES = 60
const numbersIn = (frames: readonly string[]) =>
  frames
    .map((frame) => JSON.parse(frame) as { type: string; audio: string })
    .filter(({ type }) => type === 'input_audio_buffer.append')
    .map(({ audio }) => Buffer.from(audio, 'base64').readUInt32LE(0))

/** Sends six seconds of audio at once; resolves to the time until the provider had all of it, ms, and what it had. */
async function flood(limits: object): Promise<{ took: number; got: number[] }> {
  await using upstream = await RawUpstream.start()
  const throttle = { inputPace: 4, inputBurst: '2s' }
  const plans = { default: { limits, throttle, session: { idle: null } } }
  await using parley = await Parley.start({ provider: upstream.baseUrl, policy: { plans } })
  using caller = await Caller.connect(parley.door(), demo.key)
  const since = performance.now()
  for (let n = 0; n < PIECES; n++) caller.send(piece(n))
  caller.send({ type: 'input_audio_buffer.clear' })
  await upstream.until(() => upstream.received.at(-1)?.includes('buffer.clear') === true)
  const took = performance.now() - since
  const closed = once(caller.socket, 'close')
  caller.socket.close(1000)
  // A caller that was held back can still leave as it should.
  const [code] = await closed
  expect(code).toBe(1000)
  return { took, got: numbersIn(upstream.received) }
}

const all = Array.from({ length: PIECES }, (_, n) => n)

test.each([
  ['tokens', { session: { tokensPerMinute: 100_000 } }],
  ['money', { tenant: { perDay: '$5' } }],
])(
  'L3 audio that comes faster than speech waits in its own socket where %s are limited; none is lost',
  async (_, limits) => {
    const { took, got } = await flood(limits)
    expect(got).toEqual(all)
    // Two seconds at once, four more at four times their speed.
    expect(took).toBeGreaterThan(900)
    expect(took).toBeLessThan(4_000)
  },
)

test('L3 where nothing is limited, audio is taken as it comes', async () => {
  const { took, got } = await flood({})
  expect(got).toEqual(all)
  expect(took).toBeLessThan(700)
})
