import { child, type Loose, text } from './provider-events.ts'

/**
 * What must be settled with the provider before the caller is let through: fields fixed by a client secret or the plan,
 * and, for a session carried over, the whole conversation. Pure: messages to send, and which answers they will bring.
 */
export class Greeting {
  /** Sent once `session.created` has come, in order. */
  readonly messages: readonly string[]
  #updatesOwed: number
  #itemsOwed: number
  #created: Loose | null = null

  /**
   * `session`: fields for one `session.update`, null for none. `items`: turns to put back, each the `item` of a
   * `conversation.item.create`.
   */
  constructor(session: Loose | null, items: readonly Loose[] = []) {
    const update = session === null ? [] : [JSON.stringify({ type: 'session.update', event_id: GREETING_ID, session })]
    const creates = items.map((item) =>
      JSON.stringify({ type: 'conversation.item.create', event_id: GREETING_ID, item }),
    )
    this.messages = [...update, ...creates]
    this.#updatesOwed = update.length
    this.#itemsOwed = items.length
  }

  /**
   * Takes one event of the provider that came before the session was handed to the caller. `wait`: more is owed. `done`:
   * `created` is what the caller is shown as `session.created`. `failed`: the provider refused.
   */
  hears(
    event: Loose,
  ): { is: 'wait' } | { is: 'send' } | { is: 'done'; created: Loose } | { is: 'failed'; code: string } {
    switch (event.type) {
      case 'session.created':
        this.#created = event
        return this.#isSettled() ? { is: 'done', created: event } : { is: 'send' }
      case 'session.updated':
        this.#updatesOwed = Math.max(0, this.#updatesOwed - 1)
        if (this.#created !== null) this.#created = { ...this.#created, session: event.session }
        break
      // Old servers know only `.created`, present ones send `.added` and then `.done`: each item ends with one of them.
      case 'conversation.item.created':
      case 'conversation.item.done':
        this.#itemsOwed = Math.max(0, this.#itemsOwed - 1)
        break
      case 'error':
        return { is: 'failed', code: text(child(event, 'error'), 'code') ?? 'unknown' }
      default:
        break
    }
    if (this.#created === null || !this.#isSettled()) return { is: 'wait' }
    return { is: 'done', created: this.#created }
  }

  #isSettled(): boolean {
    return this.#updatesOwed === 0 && this.#itemsOwed === 0
  }
}

/** Marks the broker's own messages of the greeting, so that an error about one is known for what it is. */
const GREETING_ID = 'parley_greeting'
