/**
 * Every key name of Parley's own in Redis. Keys that one script touches together share a hash tag, so that a Redis Cluster
 * keeps them on one node. Ids come from us or have been checked against a pattern; none is free text.
 */
export const keys = {
  /** HASH: the record of a session. */
  session: (id: string) => `parley:session:{${id}}`,
  /** ZSET: ids of sessions that have not ended → epoch ms of admission. */
  liveSessions: 'parley:sessions',
  /** STRING with expiry: the address of a node that is alive. */
  node: (id: string) => `parley:node:${id}`,
  /** ZSET: node id → epoch ms of its last beat, for a day. */
  beats: 'parley:beats',
  /** ZSET: node id → epoch ms at which it was first found dead. */
  deadNodes: 'parley:dead-nodes',
  /** Channel: orders for one node. */
  nodeOrders: (id: string) => `parley:orders:${id}`,
  /** STRING with expiry: what a client secret grants, by the secret's SHA-256. */
  clientSecret: (hash: string) => `parley:secret:{${hash}}`,
} as const
