import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import { pages, pcm, silence, speech } from '../../fixtures/index.ts'
import { wav } from '../../src/talk/wav.ts'
import type { Dice } from '../dice.ts'
import { SEER, TRANSCRIBER } from './media-premises.ts'

/** What a customer knows of one job of its own. */
export interface Order {
  readonly id: string
  readonly tenant: string
  readonly type: string
  /** The end that it was first told of. */
  end: string | null
  askedToCancel: boolean
  deleted: boolean
}

export interface Surroundings {
  readonly orders: Map<string, Order>
  /** Two answers to one request that named two jobs. */
  readonly doubles: string[]
  /** Answers nobody should get. */
  readonly oddities: string[]
  /** Base URL of a door that is up; null while none is. */
  door(): string | null
  /** Where jobs are told of. */
  readonly hook: string
}

const PATIENCE_MS = 180_000

/**
 * Orders a job, comes back for its end, and does what customers do meanwhile: asks twice, cancels, deletes. Whatever fails
 * on the way is asked again under the same key, so that each order that was answered exists once.
 */
export class Customer {
  readonly #tenant: string
  readonly #key: string
  readonly #dice: Dice
  readonly #world: Surroundings

  constructor(tenant: string, key: string, dice: Dice, world: Surroundings) {
    this.#tenant = tenant
    this.#key = key
    this.#dice = dice
    this.#world = world
  }

  async visit(): Promise<void> {
    const order = await this.order()
    if (order !== null) await this.follow(order)
  }

  /** Orders a job, and perhaps cancels it; null where that came to nothing. */
  async order(): Promise<Order | null> {
    const body = await this.#wish()
    if (body === null) return null
    const idempotency = randomUUID()
    const isImpatient = this.#dice.chance(0.05)
    const changesMind = this.#dice.chance(0.1)
    const post = () => this.#ask('POST', '/v1/jobs', body, { 'idempotency-key': idempotency })
    const answers = await Promise.all(isImpatient ? [post(), post()] : [post()])
    const ids = answers.map(({ status, json }) =>
      status === 202 || status === 200 ? String(json.id) : `HTTP ${status} ${json.code}`,
    )
    const [id = ''] = ids
    if (new Set(ids).size !== 1) this.#world.doubles.push(ids.join(' and '))
    if (!id.startsWith('job_')) {
      this.#world.oddities.push(`POST /v1/jobs: ${id}`)
      return null
    }
    const order: Order = {
      ...{ id, tenant: this.#tenant, type: String(body.type), end: null, askedToCancel: false, deleted: false },
    }
    this.#world.orders.set(id, order)
    if (changesMind) {
      await after(this.#dice.whole(0, 1_500))
      order.askedToCancel = true
      await this.#ask('POST', `/v1/jobs/${id}/cancel`, {})
    }
    return order
  }

  /** Comes back for the end of a job, and perhaps deletes it then. */
  async follow(order: Order, patienceMs = PATIENCE_MS): Promise<void> {
    const tidies = this.#dice.chance(0.1)
    await this.#awaitEnd(order, patienceMs)
    if (!tidies || order.end === null) return
    const { status } = await this.#ask('DELETE', `/v1/jobs/${order.id}`)
    // Gone by an answer that was lost.
    if (status === 204 || status === 404) order.deleted = true
    else this.#world.oddities.push(`DELETE of ${order.id}: HTTP ${status}`)
  }

  async #awaitEnd(order: Order, patienceMs: number): Promise<void> {
    const from = performance.now()
    while (performance.now() - from < patienceMs) {
      const { status, json } = await this.#ask('GET', `/v1/jobs/${order.id}?wait_ms=5000`)
      if (status === 404) {
        this.#world.oddities.push(`${order.id} was acknowledged and is not there`)
        return
      }
      if (json.ended_at !== null && typeof json.status === 'string') {
        order.end = json.status
        return
      }
    }
    this.#world.oddities.push(`${order.id} had not ended after ${patienceMs / 1_000} s`)
  }

  /** Null where its file could not be brought. */
  async #wish(): Promise<Record<string, unknown> | null> {
    const common = { metadata: { mark: String(this.#dice.whole(0, 1e9)) }, webhook: { url: this.#world.hook } }
    const mark = `mark ${this.#dice.whole(0, 1e9)}`
    const kind = this.#dice.next()
    if (kind < 0.3)
      return { ...common, type: 'audio.transcribe', options: { model: TRANSCRIBER, prompt: mark }, input: SHORT }
    if (kind < 0.4) {
      const { status, json } = await this.#ask('POST', '/v1/files?filename=long.wav', LONG)
      if (status !== 201) {
        this.#world.oddities.push(`POST /v1/files: HTTP ${status}`)
        return null
      }
      const input = { file_id: json.id }
      const options = {
        model: TRANSCRIBER,
        prompt: mark,
        segment: { max_ms: 10_000, format: 'opus' },
        trim_silence: WEBRTC,
      }
      return { ...common, type: 'audio.transcribe', options, input }
    }
    if (kind < 0.55) return { ...common, type: 'audio.prepare', input: SHORT }
    const picture = this.#dice.pick(PICTURES)
    if (kind < 0.8) return { ...common, type: 'image.describe', options: { model: SEER, prompt: mark }, input: picture }
    return { ...common, type: 'image.prepare', options: { model: SEER }, input: picture }
  }

  /** Until somebody answers who is neither gone nor about to go. */
  async #ask(
    method: string,
    path: string,
    body?: object | Buffer,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; json: Record<string, unknown> }> {
    const from = performance.now()
    for (;;) {
      const door = this.#world.door()
      try {
        if (door === null) throw new Error('no door is open')
        const response = await fetch(`${door}${path}`, {
          method,
          headers: { authorization: `Bearer ${this.#key}`, 'content-type': typeOf(body), ...headers },
          ...(body === undefined ? {} : { body: Buffer.isBuffer(body) ? new Uint8Array(body) : JSON.stringify(body) }),
          signal: AbortSignal.timeout(20_000),
        })
        const text = await response.text()
        const { status } = response
        const isPassing = status === 503 || status === 429 || status === 500 || status === 409
        if (isPassing && status === 500) this.#world.oddities.push(`${method} ${path}: HTTP 500`)
        if (!isPassing) return { status, json: text === '' ? {} : JSON.parse(text) }
        if (performance.now() - from > PATIENCE_MS) return { status, json: JSON.parse(text) }
      } catch (error) {
        if (performance.now() - from > PATIENCE_MS) throw error
      }
      await after(200 + this.#dice.whole(0, 400))
    }
  }
}

const typeOf = (body: object | undefined) => (Buffer.isBuffer(body) ? 'audio/wav' : 'application/json')
const inline = (bytes: Buffer) => ({ data: bytes.toString('base64') })
const SHORT = inline(wav(pcm(speech.weather)))
/** Three pieces of ten seconds at the most. */
const LONG = wav(
  Buffer.concat(Array.from({ length: 4 }, () => [pcm(speech.weather), silence(900), pcm(speech.order)]).flat()),
)
const PICTURES = Object.values(pages).map(({ file }) => inline(readFileSync(file)))
const WEBRTC = { engine: 'webrtc' }
