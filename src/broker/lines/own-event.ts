import { randomBytes } from 'node:crypto'
import type { Loose } from './provider-events.ts'

/** Begins the ids of events that are the broker's own; no caller can guess it. */
const OWN = `parley_${randomBytes(9).toString('base64url')}_`
let sent = 0

/** For an event whose answer is waited for. */
export const ownEventId = (): string => `${OWN}${++sent}`

/** An event of the broker's own, as it goes to the provider. */
export function ownEvent(event: Loose): string {
  return JSON.stringify({ event_id: ownEventId(), ...event })
}

/** Is this the id of an event that the broker sent by itself? */
export const isOwnEvent = (eventId: string | null): boolean => eventId?.startsWith(OWN) === true
