import { child, type Loose, text } from './provider-events.ts'

/** What becomes of a `session.updated` on its way to the caller. */
export type UpdatedVerdict =
  /** It answers the broker's own update: the caller never hears of it. */
  | { show: 'nothing' }
  | { show: 'as it came' }
  /** The same session with turn taking as the caller set it. */
  | { show: Loose }

/**
 * Who starts responses after a spoken turn. Near a limit the broker does: the provider is told `create_response: false`,
 * while the caller goes on seeing what it asked for. Pure: events in, events out.
 */
export class TurnControl {
  #isTaken = false
  /** What the caller wants of `create_response`; true until it says otherwise, as the provider's default is. */
  #wanted = true
  /** Turn detection as the provider holds it; null where it is off. */
  #detection: Loose | null = null
  /** Updates on their way, oldest first: whose each answer will be. */
  readonly #underWay: { ours: boolean; eventId: string | null }[] = []
  /** The item of the turn that detection has just closed. */
  #closedTurn: string | null = null
  #updates = 0

  /** True while the broker starts the responses that the caller expects to come by themselves. */
  get startsResponses(): boolean {
    return this.#isTaken && this.#wanted && this.#detection !== null
  }

  /** The `session.update` that takes over; null when there is nothing to tell the provider. */
  take(): Loose | null {
    this.#isTaken = true
    return this.#tell(false)
  }

  giveBack(): Loose | null {
    this.#isTaken = false
    return this.#tell(this.#wanted)
  }

  /** A caller's `session.update`: the event to send in its place, or null to send it as it came. */
  outgoing(event: Loose): Loose | null {
    this.#underWay.push({ ours: false, eventId: text(event, 'event_id') })
    const detection = child(child(child(event.session, 'audio'), 'input'), 'turn_detection')
    if (detection === null) return null
    this.#wanted = typeof detection.create_response === 'boolean' ? detection.create_response : true
    if (!this.#isTaken || !this.#wanted) return null
    return withDetection(event, { ...detection, create_response: false })
  }

  /** The provider's `session.created` or `.updated`. */
  updated(event: Loose): UpdatedVerdict {
    const detection = child(child(child(event.session, 'audio'), 'input'), 'turn_detection')
    this.#detection = detection
    const isOurs = event.type === 'session.updated' && this.#underWay.shift()?.ours === true
    if (isOurs) return { show: 'nothing' }
    if (event.type === 'session.created') this.#wanted = detection?.create_response !== false
    if (detection === null || !this.#isTaken || detection.create_response === this.#wanted)
      return { show: 'as it came' }
    return { show: withDetection(event, { ...detection, create_response: this.#wanted }) }
  }

  /** An `error` of the provider; true when it answers an update of the broker's own, which is nobody else's business. */
  failed(event: Loose): boolean {
    const eventId = text(child(event, 'error'), 'event_id')
    const param = text(child(event, 'error'), 'param') ?? ''
    const at = this.#underWay.findIndex((update) =>
      update.eventId === null ? eventId === null && param.startsWith('session') : update.eventId === eventId,
    )
    if (at < 0) return false
    const [update] = this.#underWay.splice(at, 1)
    return update?.ours === true
  }

  /** Turn detection has closed a turn, or committed silence by itself; its item follows. */
  turnClosed(itemId: string): void {
    this.#closedTurn = itemId
  }

  /** An item was committed: does the caller expect a response to it that nobody will start but the broker? */
  mustStart(itemId: string): boolean {
    const isTurn = this.#closedTurn === itemId
    if (isTurn) this.#closedTurn = null
    return isTurn && this.startsResponses
  }

  #tell(createResponse: boolean): Loose | null {
    const detection = this.#detection
    if (detection === null || !this.#wanted || detection.create_response === createResponse) return null
    const eventId = `parley_turns_${++this.#updates}`
    this.#underWay.push({ ours: true, eventId })
    const turn_detection = { ...detection, create_response: createResponse }
    const session = { type: 'realtime', audio: { input: { turn_detection } } }
    return { type: 'session.update', event_id: eventId, session }
  }
}

function withDetection(event: Loose, turn_detection: Loose): Loose {
  const session = child(event, 'session') ?? {}
  const audio = child(session, 'audio') ?? {}
  const input = child(audio, 'input') ?? {}
  return { ...event, session: { ...session, audio: { ...audio, input: { ...input, turn_detection } } } }
}
