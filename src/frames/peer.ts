/**
 * One whole text message. It is valid until the call that delivers it returns, unless it is kept; once it has been
 * forwarded its text must not be read again, because a frame on its way to a provider is masked where it lies.
 */
export interface Message {
  /** The payload, UTF-8 JSON. Lies inside `frame` where there is one. */
  readonly text: Buffer
  /** The whole frame as it came, header included; null for a message that came in pieces or from the broker itself. */
  readonly frame: Buffer | null
}

/**
 * One end of a relay: whole text messages in, whole text messages out, in order. The caller's socket and the provider's
 * socket are both a Peer, and everything that touches a frame does so through this seam.
 */
export interface Peer {
  /** Bytes that were accepted for sending and that the kernel has not taken yet. */
  readonly backlog: number
  readonly isOpen: boolean
  /** Sets who is told, in place of whoever was told before. A peer is handed over paused: `resume` starts it. */
  listen(listener: PeerListener): void
  /** Queues one text message. Silently dropped once closed. */
  send(text: Buffer | string): void
  /** Queues a message of another peer as it came, without copying it where its frame can be reused. */
  forward(message: Message): void
  /** Stops reading. No message arrives after it, not even one that has been received already. */
  pause(): void
  resume(): void
  /**
   * From now on nobody keeps a message beyond the call that delivers it: what was read gives its memory back at once. Once
   * more than `most` bytes have come, the connection is dropped.
   */
  readOut(most: number): void
  ping(): void
  /** Sends what is queued, then a close frame; gives up after 3 s. */
  close(code: number, reason: string): void
  /** Drops the connection and everything queued on it. */
  terminate(): void
}

export interface PeerListener {
  message(message: Message): void
  /** The backlog has been written out after it had grown past the socket's own buffer. */
  drained(): void
  /** A binary message arrived; the realtime protocol has none. */
  binary(): void
  /** A ping or, as `isAnswer` says, a pong: the other side lives. */
  alive(isAnswer: boolean): void
  /** Told once, last. `code` is 1005 when the close frame had none and 1006 when no close frame came. */
  closed(code: number, reason: string): void
}
