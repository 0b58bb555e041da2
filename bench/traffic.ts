import { burstOf, type Direction, type FrameKind, framesOf, stamped, stampOf } from './frames.ts'
import type { Line } from './wire.ts'

/** What is sent on every line at once. */
export interface TrafficOrder {
  frame: FrameKind
  /** Frames a second on each line; `flood`: as many as the socket takes. */
  rate: number | 'flood'
  /** Bytes after which a flooded line falls silent. */
  most?: number
  /** Every frame carries the time of its sending; for paced audio only. */
  isStamped?: boolean
}

/** Sends ready-made frames on many lines, evenly spread over time, or as fast as they are taken. */
export class Traffic {
  readonly #direction: Direction
  #timer: NodeJS.Timeout | null = null
  #drains: { line: Line; fill: () => void }[] = []
  /** Frames that were due but came too late to be sent at their time. */
  skipped = 0

  constructor(direction: Direction) {
    this.#direction = direction
  }

  start(lines: readonly Line[], order: TrafficOrder): void {
    this.stop()
    if (lines.length === 0) return
    if (order.rate === 'flood') for (const line of lines) this.#flood(line, order)
    else this.#pace(lines, order, order.rate)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    for (const { line, fill } of this.#drains) line.socket.off('drain', fill)
    this.#drains = []
  }

  /** Line after line, so that the frames of all lines are spread over their interval and no line sends two at once. */
  #pace(lines: readonly Line[], order: TrafficOrder, perSecond: number): void {
    const frames = framesOf(order.frame, this.#direction)
    const perMs = (perSecond * lines.length) / 1_000
    const begun = performance.now()
    let sent = 0
    this.#timer = setInterval(() => {
      const due = Math.floor((performance.now() - begun) * perMs)
      if (due - sent > lines.length) {
        this.skipped += due - sent - lines.length
        sent = due - lines.length
      }
      for (; sent < due; sent++) {
        const line = lines[sent % lines.length] as Line
        const round = Math.floor(sent / lines.length)
        line.socket.write(
          order.isStamped === true
            ? stamped(stampOf(performance.now() * 1_000), this.#direction)
            : (frames[(sent + round) % frames.length] as Buffer),
        )
      }
    }, 1)
  }

  #flood(line: Line, order: TrafficOrder): void {
    const { bytes } = burstOf(order.frame, this.#direction)
    let left = order.most ?? Number.POSITIVE_INFINITY
    const fill = (): void => {
      while (left > 0 && line.socket.writable) {
        left -= bytes.length
        if (!line.socket.write(bytes)) return
      }
    }
    line.socket.on('drain', fill)
    this.#drains.push({ line, fill })
    fill()
  }
}
