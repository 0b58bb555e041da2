import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { systemClock } from '../clock.ts'
import { later, ms } from '../units.ts'
import { decodeFile } from './decode-file.ts'
import { TALKS_TO } from './defaults.ts'
import { wav } from './wav.ts'

const USAGE = `npm run talk [-- [<audio file>] [--url ${TALKS_TO.url}] [--key <api key>] [--model <name>] [--out answer.wav]]

Speaks a recording to a running Parley as a microphone would, and writes what comes back. Left out: a recording that is
part of Parley, and the demo key that \`npm start\` has made.
`
/** 100 ms of 24 kHz 16-bit audio: what one append carries here. */
const STEP_BYTES = 4_800
const STEP = ms(100)
/** Spoken after the recording, so that the end of speech can be heard. */
const TAIL_BYTES = STEP_BYTES * 12
const SAMPLE = new URL('../../fixtures/audio/weather.wav', import.meta.url)

/** The parts of the provider's events that are shown. */
const ServerEvent = z.looseObject({
  type: z.string(),
  delta: z.string().optional(),
  transcript: z.string().optional(),
  error: z.looseObject({ message: z.string(), code: z.string().nullish() }).optional(),
  response: z
    .looseObject({ status: z.string().optional(), usage: z.looseObject({ total_tokens: z.number() }).nullish() })
    .optional(),
})

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string', default: TALKS_TO.url },
      key: { type: 'string' },
      model: { type: 'string', default: 'gpt-realtime' },
      out: { type: 'string', default: 'answer.wav' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const key = values.key ?? demoKey()
  const pcm = await decodeFile(positionals[0] ?? fileURLToPath(SAMPLE))
  const socket = new WebSocket(doorOf(values.url, values.model), { headers: { Authorization: `Bearer ${key}` } })
  const answer = await converse(socket, Buffer.concat([pcm, Buffer.alloc(TAIL_BYTES)]))
  writeFileSync(values.out, wav(answer))
  say(`${(answer.length / 48_000).toFixed(1)} s of answer written to ${values.out}`)
}

/** Any address of a Parley, the door's own among them. Throws a plain sentence for what is none. */
function doorOf(address: string, model: string): URL {
  const url = URL.parse(address)
  if (url === null || !/^(https?|wss?):$/.test(url.protocol)) {
    throw new Error(`--url takes an address such as ${TALKS_TO.url}, not '${address}'`)
  }
  url.pathname = `${url.pathname.replace(/(\/v1(\/realtime)?)?\/*$/, '')}/v1/realtime`
  url.searchParams.set('model', model)
  return url
}

/** Speaks, listens, and hangs up once everything has been said and answered. Resolves to the last answer's audio. */
async function converse(socket: WebSocket, pcm: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  let heard: Buffer[] = []
  /** Turns begun and not yet answered, and whether there is more to say. */
  const open = { recording: true, turns: 0 }
  const finishIfOver = () => {
    if (open.recording || open.turns > 0) return
    resolve(Buffer.concat(heard))
    socket.close(1000)
  }
  socket.on('error', (error) => reject(new Error(`no connection: ${hintFor(error)}`)))
  socket.on('close', (code, reason) => reject(new Error(`the connection was closed (${code} ${reason.toString()})`)))
  socket.on('message', (data) => {
    const event = ServerEvent.parse(JSON.parse(data.toString()))
    switch (event.type) {
      case 'session.created':
        say('connected; speaking')
        return speak(socket, pcm, () => {
          open.recording = false
          finishIfOver()
        })
      case 'input_audio_buffer.speech_started':
        open.turns = 1
        return say('the other side hears you')
      case 'input_audio_buffer.speech_stopped':
        return say('the other side has heard you out')
      case 'response.created':
        heard = []
        return
      case 'response.output_audio.delta':
        return void heard.push(Buffer.from(event.delta ?? '', 'base64'))
      case 'response.output_audio_transcript.done':
        return say(`answer: ${event.transcript}`)
      case 'error':
        return say(`error: ${event.error?.message}`)
      case 'response.done':
        say(`response ${event.response?.status}, ${event.response?.usage?.total_tokens ?? 0} tokens`)
        if (event.response?.status !== 'cancelled') open.turns = 0
        return finishIfOver()
    }
  })
  return promise
}

/** What went wrong and, where that is known, what to do about it. */
function hintFor(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return `${error.message}. Is Parley running there (npm start)?`
  if (/self-signed|certificate/.test(error.message)) {
    return `${error.message.split(';')[0]}. Set NODE_EXTRA_CA_CERTS as \`npm start\` says, or use the http:// address`
  }
  return error.message
}

/** As a microphone does: each piece when it would have been spoken. Calls `done` after the last. */
function speak(socket: WebSocket, pcm: Buffer, done: () => void): void {
  const begun = systemClock.now()
  const step = (i: number) => {
    const piece = pcm.subarray(i * STEP_BYTES, (i + 1) * STEP_BYTES)
    if (piece.length === 0) return done()
    if (socket.readyState !== WebSocket.OPEN) return
    socket.send(JSON.stringify({ type: 'input_audio_buffer.append', audio: piece.toString('base64') }))
    systemClock.at(later(begun, ms((i + 1) * STEP)), () => step(i + 1))
  }
  step(0)
}

function demoKey(): string {
  const { keyFile } = TALKS_TO
  if (!existsSync(keyFile)) throw new Error('no key: start Parley first (npm start), or give one with --key')
  return readFileSync(keyFile, 'utf8').trim()
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  },
)
