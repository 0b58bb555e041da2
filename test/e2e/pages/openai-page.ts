/** The script of a page that uses the `openai` package's browser client. Runs in Chromium, driven by the test. */
import OpenAI from 'openai'
import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket'

export interface CallOrder {
  /** `https://…/v1` */
  baseURL: string
  secret: string
}

export interface Refusal {
  code: string | null
  param: string | null
  eventId: string | null
}

export interface CallReport {
  /** The subprotocol that the server selected. */
  protocol: string
  /** Events in the order they came, deltas once each. */
  types: string[]
  status: string | undefined
  /** Bytes of PCM16 that the answer had. */
  heard: number
  /** What came back to a `session.update` of a locked field. */
  locked: Refusal
}

export interface Page {
  converse(order: CallOrder): Promise<CallReport>
  /** Connects and waits for the refusal. */
  turnedAway(order: CallOrder): Promise<Refusal & { close: number }>
}

const WAV_HEADER = 44
const PIECE = 4_800
/** Silence by which the server knows that the turn is over: 1.2 s. */
const PAUSE = 57_600

function connect({ baseURL, secret }: CallOrder): OpenAIRealtimeWebSocket {
  const client = new OpenAI({
    apiKey: secret,
    baseURL,
    organization: 'org_1',
    project: 'proj_1',
    dangerouslyAllowBrowser: true,
  })
  return new OpenAIRealtimeWebSocket({ model: 'gpt-realtime' }, client)
}

function nextError(realtime: OpenAIRealtimeWebSocket): Promise<Refusal> {
  return new Promise((resolve) =>
    realtime.on('error', (told) => {
      const { code, param, event_id } = told.error ?? {}
      resolve({ code: code ?? null, param: param ?? null, eventId: event_id ?? null })
    }),
  )
}

async function recording(): Promise<Uint8Array> {
  const wav = new Uint8Array(await (await fetch('/speech.wav')).arrayBuffer())
  const sound = new Uint8Array(wav.length - WAV_HEADER + PAUSE)
  sound.set(wav.subarray(WAV_HEADER))
  return sound
}

const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes))

async function converse(order: CallOrder): Promise<CallReport> {
  const sound = await recording()
  const realtime = connect(order)
  const types: string[] = []
  let heard = 0
  realtime.on('event', (event) => {
    if (types.at(-1) !== event.type) types.push(event.type)
  })
  realtime.on('response.output_audio.delta', (event) => {
    heard += atob(event.delta).length
  })
  const done = new Promise<string | undefined>((resolve) =>
    realtime.on('response.done', (event) => resolve(event.response.status)),
  )
  await new Promise<void>((created, refused) => {
    realtime.on('session.created', () => created())
    realtime.on('error', refused)
  })
  let at = 0
  const microphone = setInterval(() => {
    if (at >= sound.length) return clearInterval(microphone)
    realtime.send({ type: 'input_audio_buffer.append', audio: base64(sound.subarray(at, at + PIECE)) })
    at += PIECE
  }, 100)
  const status = await done
  clearInterval(microphone)
  const locked = nextError(realtime)
  realtime.send({ type: 'session.update', event_id: 'mine', session: { type: 'realtime', instructions: 'Sell cars.' } })
  const report = { protocol: realtime.socket.protocol, types, status, heard, locked: await locked }
  realtime.close()
  return report
}

async function turnedAway(order: CallOrder): Promise<Refusal & { close: number }> {
  const realtime = connect(order)
  const closed = new Promise<number>((resolve) =>
    realtime.socket.addEventListener('close', (event) => resolve(event.code)),
  )
  return { ...(await nextError(realtime)), close: await closed }
}

Object.assign(globalThis, { page: { converse, turnedAway } satisfies Page })
