import { type AddressInfo, createServer } from 'node:net'
import { carriesAudio, stamped, stampIn } from './frames.ts'
import { answerCalls } from './remote.ts'
import { RESPONSE_CREATED, RESPONSE_DONE, responseCreated, responseDone, SESSION_CREATED } from './session-events.ts'
import { Traffic, type TrafficOrder } from './traffic.ts'
import { accept, type Line } from './wire.ts'

/** The provider's side, in a process of its own: greets, swallows what it is sent, says what it is told to. */
export class UpstreamService {
  readonly #lines = new Set<Line>()
  readonly #traffic = new Traffic('down')
  /** What lines that are gone have received and sent. */
  #gone = { messages: 0, bytesWritten: 0 }
  #isSpeaking = false
  /** Answers under way, by their id. */
  readonly #answers = new Map<string, { line: Line; timer: NodeJS.Timeout }>()
  #answered = 0

  /** Opens the door; answers with its port on 127.0.0.1. */
  async listen(): Promise<number> {
    const server = createServer((socket) => accept(socket, (line) => this.#greet(line)))
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 }, resolve)
    await promise
    return (server.address() as AddressInfo).port
  }

  /** Begins a response on every connection and sends its frames. */
  speak(order: TrafficOrder): void {
    const lines = [...this.#lines]
    if (!this.#isSpeaking) for (const line of lines) line.sendText(RESPONSE_CREATED)
    this.#isSpeaking = true
    this.#traffic.start(lines, order)
  }

  /** Ends what `speak` began. */
  fallSilent(): void {
    this.#traffic.stop()
    if (this.#isSpeaking) for (const line of this.#lines) line.sendText(RESPONSE_DONE)
    this.#isSpeaking = false
    for (const id of this.#answers.keys()) this.#end(id)
  }

  /** From now on every audio frame is answered at once with one that carries its stamp back. */
  echo(): void {
    for (const line of this.#lines) {
      line.onMessage = (head) => {
        if (carriesAudio(head, 'up')) line.socket.write(stamped(stampIn(head, 'up'), 'down'))
      }
    }
  }

  /** As `echo`; and whoever asks for a response gets one, which is over after so long, ms. */
  converse({ lasts }: { lasts: number }): void {
    for (const line of this.#lines) {
      line.onMessage = (head) => {
        if (carriesAudio(head, 'up')) line.socket.write(stamped(stampIn(head, 'up'), 'down'))
        else if (head.includes('"response.create"')) this.#answer(line, lasts)
      }
    }
  }

  #answer(line: Line, lasts: number): void {
    const id = `resp_bench${++this.#answered}`
    line.sendText(responseCreated(id))
    this.#answers.set(id, { line, timer: setTimeout(() => this.#end(id), lasts) })
  }

  #end(id: string): void {
    const answer = this.#answers.get(id)
    this.#answers.delete(id)
    clearTimeout(answer?.timer)
    if (answer?.line.socket.writable === true) answer.line.sendText(responseDone(id))
  }

  /** Messages received and bytes handed to the network since the start, and connections open. */
  count(): { messages: number; lines: number; bytesWritten: number; skipped: number } {
    let { messages, bytesWritten } = this.#gone
    for (const line of this.#lines) {
      messages += line.messages
      bytesWritten += handedOver(line)
    }
    return { messages, lines: this.#lines.size, bytesWritten, skipped: this.#traffic.skipped }
  }

  #greet(line: Line): void {
    this.#lines.add(line)
    void line.closed.then(() => {
      this.#lines.delete(line)
      this.#gone.messages += line.messages
      this.#gone.bytesWritten += handedOver(line)
    })
    line.sendText(SESSION_CREATED)
  }
}

/** Bytes that the network has taken of what was sent on a line. */
const handedOver = ({ socket }: Line) => socket.bytesWritten - socket.writableLength

answerCalls(new UpstreamService())
