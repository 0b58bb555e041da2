import type { Api } from './api.ts'
import type { Live, Part } from './live-store.ts'

/** What every view has to hand. */
export interface Context {
  readonly api: Api
  readonly live: Live
  /** The server's clock as far as it is known, Unix ms. */
  now(): number
  /** Says something to screen readers, once. */
  say(text: string): void
  /** Opens the details of a session. */
  open(session: string): void
  /** Asks whether to end a session, and does. */
  end(session: string): void
  /** A request failed: a wrong key leads back to the door; returns the words for the rest. */
  failed(error: unknown): string
}

/** One page of the console. */
export interface View {
  readonly title: string
  readonly root: HTMLElement
  /** It is shown from now on. */
  enter(): void
  leave(): void
  /** The stream has changed some parts; only while it is shown. */
  update(parts: ReadonlySet<Part>): void
  /** A second has passed; only while it is shown. */
  second(): void
}
