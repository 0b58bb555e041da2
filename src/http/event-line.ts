import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { Clock } from '../clock.ts'
import { later, ms } from '../units.ts'

/** A sign of life for whatever stands between, and the chance to notice a reader that is gone. */
const HEARTBEAT = ms(15_000)

/** Server-sent events to one reader. */
export interface EventLine {
  /** Aborts when the reader is gone. */
  readonly gone: AbortSignal
  /** What was written last has not been taken yet. */
  readonly isWaiting: boolean
  /** Resolves once the text has been taken. */
  write(text: string): Promise<void>
}

/**
 * Answers with server-sent events, written by `tell`; the answer ends when it does. Of a reader that takes nothing one frame
 * is kept: the beat that finds it waiting since the beat before cuts the line. `beaten`: at every beat.
 */
export function eventLine(
  c: Context,
  clock: Clock,
  beaten: () => void,
  tell: (line: EventLine) => Promise<void>,
): Response {
  c.header('X-Accel-Buffering', 'no')
  const response = streamSSE(c, async (stream) => {
    const line = new Line(stream)
    let waitedBefore: number | null = null
    let alarm: Disposable | null = null
    const beat = () => {
      alarm = clock.at(later(clock.now(), HEARTBEAT), () => {
        if (line.waiting !== null && line.waiting === waitedBefore) return cut(c)
        waitedBefore = line.waiting
        beaten()
        if (!line.isWaiting) void line.write(': still here\n\n')
        beat()
      })
    }
    beat()
    try {
      await tell(line)
    } finally {
      ;(alarm as Disposable | null)?.[Symbol.dispose]()
    }
  })
  response.headers.set('Cache-Control', 'no-store')
  return response
}

class Line implements EventLine {
  readonly #stream: SSEStreamingApi
  readonly #gone = new AbortController()
  #frames = 0
  /** Number of the frame that waits for the reader. */
  waiting: number | null = null

  constructor(stream: SSEStreamingApi) {
    this.#stream = stream
    stream.onAbort(() => this.#gone.abort())
  }

  get gone(): AbortSignal {
    return this.#gone.signal
  }

  get isWaiting(): boolean {
    return this.waiting !== null
  }

  async write(text: string): Promise<void> {
    const frame = ++this.#frames
    this.waiting = frame
    await this.#stream.write(text)
    if (this.waiting === frame) this.waiting = null
  }
}

function cut(c: Context): void {
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>
  outgoing?.destroy()
}
