/**
 * One end of a relay: whole text messages in, whole text messages out, in order. The caller's socket and the provider's
 * socket are both a Peer, and everything that touches a frame does so through this seam.
 */
export interface Peer {
  /** Bytes that `send` has accepted and the kernel has not taken yet. */
  readonly backlog: number
  readonly isOpen: boolean
  /** Sets who is told. Called once, before the first message can arrive. */
  listen(listener: PeerListener): void
  /** Queues one text message. The bytes belong to the peer until it has written them. Silently dropped once closed. */
  send(message: Buffer | string): void
  /** Stops reading. Messages already parsed may still arrive. */
  pause(): void
  resume(): void
  ping(): void
  /** Sends what is queued, then a close frame; gives up after 3 s. */
  close(code: number, reason: string): void
  /** Drops the connection and everything queued on it. */
  terminate(): void
}

export interface PeerListener {
  /** One whole text message. The bytes are valid until the call returns unless they are kept by reference. */
  message(bytes: Buffer): void
  /** The backlog has been written out after `send` had to queue. */
  drained(): void
  /** A binary message arrived; the realtime protocol has none. */
  binary(): void
  /** A pong, or any other sign that the other side lives. */
  alive(): void
  /** Told once, last. `code` is 1006 when no close frame came. */
  closed(code: number, reason: string): void
}
