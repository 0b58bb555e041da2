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
  /** HASH: tenants, keys and plans made by the admin routes (store/stored-policy.ts), and the revision of them all. */
  policy: 'parley:{policy}',
  /** Channel: the policy has a new revision. */
  policyChanged: 'parley:policy:changed',
  /** HASH: key id → epoch ms of the hour in which it was last used. */
  keyUse: 'parley:keys:used',
} as const
