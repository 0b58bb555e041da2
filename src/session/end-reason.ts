/** Why a session ended. Exactly one is recorded for each session, and told to whoever is still there to hear it. */
export type EndReason =
  /** The caller closed the connection properly. */
  | 'caller_hung_up'
  /** The caller's line dropped and nobody came back in time, or could. */
  | 'caller_lost'
  /** The plan's length cap. */
  | 'session_expired'
  /** Nobody spoke for the plan's idle limit. */
  | 'idle_timeout'
  /** No provider could be reached, or none started the session in time. */
  | 'upstream_unavailable'
  /** The provider's connection was lost or went silent in the middle of a response. */
  | 'upstream_lost'
  /** The provider closed the session itself. */
  | 'upstream_ended'
  /** `POST /v1/sessions/{id}/end`. */
  | 'ended_by_operator'
  /** The key or tenant behind the session was revoked or suspended. */
  | 'credential_revoked'
  /** The caller did not read what was sent to it. */
  | 'reader_too_slow'
  /** The caller broke the protocol beyond what an `error` event can answer. */
  | 'protocol_misuse'
  /** Not even the smallest answer can be paid for any more. */
  | 'budget_spent'
  /** The caller went on asking for responses that were refused for their rate. */
  | 'rate_limited'
  /** The shared truth about money could not be asked for longer than the lease lasted. */
  | 'store_unavailable'
  /** This node is shutting down; a caller with a resume token goes on elsewhere. */
  | 'going_away'
  /** The node that held the session died; written by the node that notices. */
  | 'node_lost'
  /** A bug of ours. */
  | 'internal'
