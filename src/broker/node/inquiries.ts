import { randomUUID } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { NodeOrder, NodeQuestion, Nodes } from '../../store/nodes.ts'
import { later, type Ms, ms } from '../../units.ts'

/** How long an answer is waited for: one that comes later is of no use to who looks every two seconds. */
const ANSWERED_WITHIN = ms(1_500)
/** Questions of this node that may be unanswered at once. */
const MOST_OPEN = 1_000

/** Questions from one node to another, by the channels that orders go by. */
export class Inquiries {
  readonly #nodes: Pick<Nodes, 'id' | 'order'>
  readonly #clock: Clock
  readonly #answer: (question: NodeQuestion) => Promise<unknown>
  readonly #open = new Map<string, (body: unknown) => void>()

  /** `answer`: what this node says itself; its result goes out as JSON. */
  constructor(nodes: Pick<Nodes, 'id' | 'order'>, clock: Clock, answer: (question: NodeQuestion) => Promise<unknown>) {
    this.#nodes = nodes
    this.#clock = clock
    this.#answer = answer
  }

  /** Null where the node is gone, or does not answer in time. Rejects where this node itself cannot say. */
  async ask(node: string, question: NodeQuestion, within: Ms = ANSWERED_WITHIN): Promise<unknown> {
    if (node === this.#nodes.id) return this.#answer(question)
    if (this.#open.size >= MOST_OPEN) return null
    const id = randomUUID()
    const answered = Promise.withResolvers<unknown>()
    this.#open.set(id, answered.resolve)
    using _alarm = this.#clock.at(later(this.#clock.now(), within), () => answered.resolve(null))
    const order: NodeOrder = { type: 'ask', id, from: this.#nodes.id, question }
    const isThere = await this.#nodes.order(node, order).catch(() => false)
    const body = isThere ? await answered.promise : null
    this.#open.delete(id)
    return body
  }

  /** Another node asks. Never rejects: who hears nothing asks again. */
  async asked({ id, from, question }: Extract<NodeOrder, { type: 'ask' }>): Promise<void> {
    try {
      await this.#nodes.order(from, { type: 'answer', id, body: await this.#answer(question) })
    } catch {
      // Redis is away, or this node cannot say now.
    }
  }

  answered({ id, body }: Extract<NodeOrder, { type: 'answer' }>): void {
    this.#open.get(id)?.(body)
  }
}
