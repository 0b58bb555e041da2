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
  /**
   * Root of everything about limits and money, under one hash tag: one decision touches a session, its user, its tenant
   * and the installation. Below it, named by the scripts themselves; an account is `<kind>:<id>`:
   *   :leases            ZSET    session → lease end (epoch ms), of all sessions
   *   :lease:<session>   HASH    accounts, money, tokens, slot, and `running:<record id>` → cost, weighted tokens, record
   *   :slots:<account>   ZSET    session → lease end, of sessions that were admitted
   *   :leases:<account>  ZSET    session → lease end, of those that hold money or tokens without a slot
   *   :held:<account>    HASH    money, tokens: what its leases hold in all
   *   :starts:<account>, :tokens:<account>   HASH   second → how many, of the last 60 s; sum, first
   *   :record:<id>       STRING  `usage`, or the estimate that was booked under this id
   */
  limits: 'parley:{limits}',
  /** STREAM below a root of limits: `record` as JSON, `booked` (epoch ms), in the order of booking. */
  journal: (root: string) => `${root}:journal`,
  /** STRING below a root of limits: nano-dollars an account has spent in `budget`, `day:YYYY-MM-DD` or `month:YYYY-MM`. */
  spent: (root: string, kind: string, id: string, period: string) => `${root}:spent:${kind}:${id}:${period}`,
  /** STRING with expiry: an answer that a tenant has paid for, by the hash of all that decides it. */
  answer: (tenant: string, content: string) => `parley:{t:${tenant}}:answer:${content}`,
  /** STRING with the expiry of a lease: who is buying that answer now. */
  answerBuyer: (tenant: string, content: string) => `parley:{t:${tenant}}:answer:${content}:buyer`,
  /** STRING with expiry: how often a step, `<job>:<stage>`, has been bought. */
  bought: (tenant: string, step: string) => `parley:{t:${tenant}}:bought:${step}`,
  /** HASH: tenants, keys and plans made by the admin routes (store/stored-policy.ts), and the revision of them all. */
  policy: 'parley:{policy}',
  /** Channel: the policy has a new revision. */
  policyChanged: 'parley:policy:changed',
  /** HASH: key id → epoch ms of the hour in which it was last used. */
  keyUse: 'parley:keys:used',
  /** STREAM below a root of limits: journal entries that are no records, for somebody to look at. */
  journalRefused: (root: string) => `${root}:journal:refused`,
  /** STRING below a root of limits: id of the ledger that the journal belongs to. Absent when Redis has lost its counters. */
  ledger: (root: string) => `${root}:ledger`,
  /** HASH: how a webhook endpoint's receiver has been doing; the endpoint by the SHA-256 of its URL. */
  webhookEndpoint: (id: string) => `parley:webhook:{${id}}`,
  /** STRING with expiry: somebody tries an endpoint that has been failing. */
  webhookProbe: (id: string) => `parley:webhook:{${id}}:probe`,
  /** STRING with expiry: type and body of an event told to webhooks. */
  webhookEvent: (id: string) => `parley:webhook-event:{${id}}`,
  /** STRING with expiry: a budget's warning is being told (`claimed`) or has been (`told`). */
  budgetWarning: (id: string) => `parley:budget-warning:{${id}}`,
  /** Root of everything of one tenant in the batch door, under one hash tag. What lies below stands in scripts/<part>/prelude.lua. */
  tenant: (id: string) => `parley:{t:${id}}`,
  /** SET: tenants that have had batches. */
  batchTenants: 'parley:batches:tenants',
  /** SET: tenants that have had files, for the sweep. */
  fileTenants: 'parley:files:tenants',
  /** STRING with expiry: the node that watches the spend objective. */
  objectiveLease: 'parley:{objective}:lease',
  /** STRING: where the spend objective stands. */
  objective: 'parley:{objective}',
  /** Channel: the same, when it changes. */
  objectiveChanges: 'parley:{objective}:changes',
  /** SET: tenants that have ever had a job. */
  jobTenants: 'parley:jobs:tenants',
  /** Channel: a tenant's outbox has something. */
  jobsReady: 'parley:jobs:ready',
  /** Channel: id of a job whose end is asked for. */
  jobsCancel: 'parley:jobs:cancel',
  /** HASH: the fair order of one kind of work: `now`, `base`, and each tenant's last number. */
  fairOrder: (lane: string) => `parley:{jobs}:fair:${lane}`,
} as const
