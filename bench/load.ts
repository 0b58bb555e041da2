import { carriesAudio, stampIn } from './frames.ts'
import { answerCalls } from './remote.ts'
import { RESPONSE_CREATE, SESSION_UPDATE } from './session-events.ts'
import { Traffic, type TrafficOrder } from './traffic.ts'
import { dial, type Line, type Place } from './wire.ts'

/** Connections that are being opened or closed at a time. */
const PARALLEL = 32

/** The callers, all in a process of their own. */
export class LoadService {
  #lines: Line[] = []
  readonly #traffic = new Traffic('up')
  #roundTrips: number[] = []
  #asking: NodeJS.Timeout | null = null
  #nextAsker = 0
  /** When each line asked for the response that it waits for, ms. */
  readonly #askedAt = new Map<Line, number>()
  #starts: number[] = []

  /** Opens sessions beside those there are; each has its `session.created` and has sent its first event when this ends. */
  async open({ place, sessions }: { place: Place; sessions: number }): Promise<void> {
    await inParallel(sessions, async () => {
      const line = await dial(place)
      line.sendText(SESSION_UPDATE)
      this.#lines.push(line)
    })
  }

  /** Opens and closes sessions one after the other, some at a time. Answers with the time it took, ms. */
  async churn({ place, sessions }: { place: Place; sessions: number }): Promise<number> {
    const begun = performance.now()
    await inParallel(sessions, async () => (await dial(place)).close())
    return performance.now() - begun
  }

  talk(order: TrafficOrder): void {
    this.#traffic.start(this.#lines, order)
  }

  fallSilent(): void {
    this.#traffic.stop()
    if (this.#asking !== null) clearInterval(this.#asking)
    this.#asking = null
    this.#askedAt.clear()
  }

  /** One line after the other asks for a response, evenly spread; the time until it has begun is noted. */
  ask({ perSecond }: { perSecond: number }): void {
    this.#asking = setInterval(() => {
      const line = this.#lines[this.#nextAsker++ % this.#lines.length]
      if (line === undefined) return
      this.#askedAt.set(line, performance.now())
      line.sendText(RESPONSE_CREATE)
    }, 1_000 / perSecond)
  }

  /** From now on the round trips of stamped frames are noted. */
  listen(): void {
    for (const line of this.#lines) {
      line.onMessage = (head) => {
        if (!carriesAudio(head, 'down')) return this.#begun(line, head)
        this.#roundTrips.push(performance.now() * 1_000 - Number(stampIn(head, 'down')))
      }
    }
  }

  /** Round trips noted since the last call, µs: median, 99th percentile, how many. */
  roundTrips(): Spread {
    const all = this.#roundTrips
    this.#roundTrips = []
    return spread(all)
  }

  /** From asking for a response to its beginning, since the last call, µs. */
  starts(): Spread {
    const all = this.#starts
    this.#starts = []
    return spread(all)
  }

  #begun(line: Line, head: Buffer): void {
    const asked = this.#askedAt.get(line)
    if (asked === undefined || !head.includes('"response.created"')) return
    this.#askedAt.delete(line)
    this.#starts.push((performance.now() - asked) * 1_000)
  }

  /** Nothing is read any more, on any line. */
  stall(): void {
    for (const line of this.#lines) line.socket.pause()
  }

  /** Messages received on the open lines, how many of those are still open, and frames not sent in time. */
  count(): { messages: number; lines: number; skipped: number } {
    const lines = this.#lines.filter((line) => !line.socket.destroyed).length
    return {
      messages: this.#lines.reduce((sum, line) => sum + line.messages, 0),
      lines,
      skipped: this.#traffic.skipped,
    }
  }

  async close(): Promise<void> {
    this.#traffic.stop()
    const lines = this.#lines.splice(0)
    await inParallel(lines.length, async (i) => lines[i]?.close())
  }
}

export interface Spread {
  p50: number
  p99: number
  count: number
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), count: sorted.length }
}

async function inParallel(times: number, act: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < times) await act(next++)
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, times) }, worker))
}

answerCalls(new LoadService())
