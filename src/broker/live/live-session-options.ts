import type { SecretGrant } from '../../auth/principal.ts'
import type { Ceilings } from '../../auth/session-fields.ts'
import type { Clock } from '../../clock.ts'
import type { DoorConfig } from '../../config/config.ts'
import type { Peer } from '../../frames/peer.ts'
import type { Log } from '../../log.ts'
import type { EndReason } from '../../session/end-reason.ts'
import type { SessionPolicy } from '../../session/policy.ts'
import type { SessionState } from '../../session/state.ts'
import type { SessionHead, SessionTail, SessionUsage } from '../../store/session-records.ts'
import type { Bytes } from '../../units.ts'
import type { VoiceDetection } from '../../voice/detector.ts'
import type { Greeting } from '../lines/greeting.ts'
import type { PursePort } from '../money/purse.ts'
import type { SessionMoney } from '../money/session-money.ts'
import type { Bought } from '../money/till.ts'
import type { Leaving } from './dismissal.ts'
import type { LiveSession } from './live-session.ts'

/** What a session is started with. */
export interface LiveSessionOptions {
  head: SessionHead
  policy: SessionPolicy
  ceilings: Ceilings
  grant: SecretGrant | null
  /** The caller asked for `parley.*` events. */
  speaksParley: boolean
  /** What another node left behind, and the last frame the returning caller has seen: the session goes on from here. */
  carriedOver: { tail: SessionTail; usage: SessionUsage; seen: number; tokenHash: string } | null
  greeting: Greeting
}

export interface LiveSessionDeps {
  clock: Clock
  log: Log
  door: DoorConfig
  voices: VoiceDetection
  /** How much of what was sent may be kept for one caller's return. */
  ringBytes(): Bytes
  /** May one more caller be parked on this node? */
  mayPark(): boolean
  phaseChanged(session: LiveSession, from: SessionState['phase'], to: SessionState['phase']): void
  /** Opens the session's books at the provider that was reached. Throws `model_not_priced`. */
  money(bought: Bought, port: Omit<PursePort, 'budgetPassed'>): SessionMoney
  /** How this caller is let go. */
  parting(session: LiveSession, peer: Peer, reason: EndReason): Leaving
  /** Told once, last. Resolves once another node can take the session over; never rejects. */
  ended(session: LiveSession, reason: EndReason): Promise<void>
  /** Makes a fresh resume token good everywhere before it is handed out. Never rejects. */
  rotated(session: LiveSession, tokenHash: string): Promise<void>
}
