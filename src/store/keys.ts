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
  /** HASH: how a webhook endpoint's receiver has been doing; the endpoint by the SHA-256 of its URL. */
  webhookEndpoint: (id: string) => `parley:webhook:{${id}}`,
  /** STRING with expiry: somebody tries an endpoint that has been failing. */
  webhookProbe: (id: string) => `parley:webhook:{${id}}:probe`,
  /** STRING with expiry: type and body of an event told to webhooks. */
  webhookEvent: (id: string) => `parley:webhook-event:{${id}}`,
  /** STRING with expiry: a budget's warning is being told (`claimed`) or has been (`told`). */
  budgetWarning: (id: string) => `parley:budget-warning:{${id}}`,
  /** STRING with expiry: the node that watches the spend objective. */
  objectiveLease: 'parley:{objective}:lease',
  /** STRING: where the spend objective stands. */
  objective: 'parley:{objective}',
  /** Channel: the same, when it changes. */
  objectiveChanges: 'parley:{objective}:changes',
} as const
