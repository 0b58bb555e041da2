import { child, type Loose, text, transcriptionModel } from '../lines/provider-events.ts'

/** What becomes of a `session.updated` on its way to the caller. */
export type UpdatedVerdict =
  /** It answers the broker's own update: the caller never hears of it. */
  | { show: 'nothing' }
  | { show: 'as it came' }
  /** The same session with turn taking as the caller set it. */
  | { show: Loose }

/** Updates of a caller that may be unanswered at once: each is gone through with every later one. */
const MOST_UNANSWERED = 64

/** An update that the provider has not answered yet. */
interface Update {
  readonly ours: boolean
  readonly eventId: string | null
  /** What the caller wants of `create_response` once it is answered. */
  readonly wanted: boolean
  /** Turn detection as the update sets it; undefined where it says nothing of it. */
  readonly detection: Loose | null | undefined
  /** The broker has put its own `create_response` in place of the caller's. */
  readonly isChanged: boolean
  /** The model that is to transcribe what is said; null where the update says nothing of one. */
  readonly transcriber: string | null
}

/**
 * Who starts responses after a spoken turn. Near a limit the broker does: the provider is told `create_response: false`,
 * while the caller goes on seeing what it asked for. Pure: events in, events out.
 */
export class TurnControl {
  #isTaken = false
  /** What the caller wants of `create_response`; true until it says otherwise, as the provider's default is. */
  #wanted = true
  /** The same, as the provider has last confirmed it. */
  #confirmed = true
  /** Turn detection as the provider holds it; null where it is off. */
  #detection: Loose | null = null
  /** Updates on their way, oldest first: whose each answer will be. */
  readonly #underWay: Update[] = []
  /** The item of the turn that detection has just closed. */
  #closedTurn: string | null = null
  #updates = 0

  /** Does the caller expect responses to spoken turns to come by themselves? */
  get expectsResponses(): boolean {
    return this.#wanted && this.#detection !== null
  }

  /**
   * True while nobody but the broker starts the responses that the caller expects. The provider's own word counts, not
   * what it has been told: until it has confirmed, it does as before.
   */
  get startsResponses(): boolean {
    return this.expectsResponses && this.#detection?.create_response === false
  }

  /** The transcription models of updates that the provider has not answered: any of them may do the next work. */
  get transcribersAsked(): ReadonlySet<string> {
    return new Set(this.#underWay.flatMap(({ transcriber }) => transcriber ?? []))
  }

  /** The caller has sent so many updates that the next one has to wait for an answer. */
  get isFull(): boolean {
    return this.#underWay.length >= MOST_UNANSWERED
  }

  /** The `session.update` that takes over; null when there is nothing to tell the provider. */
  take(): Loose | null {
    this.#isTaken = true
    return this.#tell(false)
  }

  giveBack(): Loose | null {
    this.#isTaken = false
    return this.#tell(true)
  }

  /** A caller's `session.update`: the event to send in its place, or null to send it as it came. */
  outgoing(event: Loose): Loose | null {
    const given = child(child(event.session, 'audio'), 'input')?.turn_detection as Loose | null | undefined
    const isObject = typeof given === 'object' && given !== null
    if (isObject) this.#wanted = typeof given.create_response === 'boolean' ? given.create_response : true
    const isChanged = isObject && this.#isTaken && this.#wanted
    const detection = isObject || given === null ? given : undefined
    this.#underWay.push({
      ours: false,
      eventId: text(event, 'event_id'),
      wanted: this.#wanted,
      detection,
      isChanged,
      transcriber: transcriptionModel(child(event, 'session')),
    })
    return isChanged ? withDetection(event, { ...given, create_response: false }) : null
  }

  /** The provider's `session.created` or `.updated`. */
  updated(event: Loose): UpdatedVerdict {
    const detection = child(child(child(event.session, 'audio'), 'input'), 'turn_detection')
    this.#detection = detection
    const creates = detection?.create_response !== false
    if (event.type === 'session.created') {
      this.#wanted = creates
      this.#confirmed = creates
      return { show: 'as it came' }
    }
    const update = this.#underWay.shift()
    if (update?.ours === true) return { show: 'nothing' }
    // Where the broker has not meddled, the provider's word is what the caller set.
    const isPlain = update?.detection !== undefined && update.detection !== null && !update.isChanged
    const wanted = isPlain ? creates : (update?.wanted ?? this.#wanted)
    this.#confirmed = wanted
    if (isPlain && !this.#underWay.some((later) => !later.ours)) this.#wanted = wanted
    if (detection === null || creates === wanted) return { show: 'as it came' }
    return { show: withDetection(event, { ...detection, create_response: wanted }) }
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
    if (update?.ours === true) return true
    this.#wanted = this.#underWay.findLast((other) => !other.ours)?.wanted ?? this.#confirmed
    return false
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
    // What the caller is about to change must not be put back.
    const coming = this.#underWay.findLast((update) => !update.ours && update.detection !== undefined)
    const detection = coming === undefined ? this.#detection : merged(this.#detection, coming.detection ?? null)
    if (detection === null || !this.#wanted) return null
    const isSettled = this.#underWay.every((update) => !update.ours && !update.isChanged)
    if (isSettled && (detection.create_response !== false) === createResponse) return null
    const eventId = `parley_turns_${++this.#updates}`
    const update = {
      ours: true,
      eventId,
      wanted: this.#wanted,
      detection: undefined,
      isChanged: true,
      transcriber: null,
    }
    this.#underWay.push(update)
    const turn_detection = { ...detection, create_response: createResponse }
    const session = { type: 'realtime', audio: { input: { turn_detection } } }
    return { type: 'session.update', event_id: eventId, session }
  }
}

function merged(held: Loose | null, given: Loose | null): Loose | null {
  return held !== null && given !== null && held.type === given.type ? { ...held, ...given } : given
}

function withDetection(event: Loose, turn_detection: Loose): Loose {
  const session = child(event, 'session') ?? {}
  const audio = child(session, 'audio') ?? {}
  const input = child(audio, 'input') ?? {}
  return { ...event, session: { ...session, audio: { ...audio, input: { ...input, turn_detection } } } }
}
