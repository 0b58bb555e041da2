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
  /** Channel: orders for one node. */
  nodeOrders: (id: string) => `parley:orders:${id}`,
  /** STRING with expiry: what a client secret grants, by the secret's SHA-256. */
  clientSecret: (hash: string) => `parley:secret:{${hash}}`,
  /** STREAM below a root of limits: `record` as JSON, `booked` (epoch ms), in the order of booking. */
  journal: (root: string) => `${root}:journal`,
  /** STREAM below a root of limits: journal entries that are no records, for somebody to look at. */
  journalRefused: (root: string) => `${root}:journal:refused`,
  /** STRING below a root of limits: id of the ledger that the journal belongs to. Absent when Redis has lost its counters. */
  ledger: (root: string) => `${root}:ledger`,
  /** Root of everything about limits and money, under one hash tag. */
  limits: 'parley:{limits}',
} as const
