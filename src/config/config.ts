import type { Scope } from '../auth/scopes.ts'
import type { Ceilings } from '../auth/session-fields.ts'
import type { LimitOverrides, ScopeLimits } from '../limits/accounts.ts'
import type { AccountLimits } from '../limits/limits.ts'
import type { Objective } from '../limits/objective.ts'
import type { PriceSheet } from '../meter/price-sheet.ts'
import type { OutboundRules } from '../net/fetcher.ts'
import type { SessionPolicy } from '../session/policy.ts'
import type { Bytes, Instant, Ms, Tokens } from '../units.ts'
import type { WebhookEndpoint } from '../webhooks/webhook.ts'

/** Everything an operator decides, parsed, checked and in domain types. Made by read-config.ts, replaced whole on reload. */
export interface Config {
  listeners: readonly ListenerConfig[]
  /** Where the embedded Redis, the self-signed certificate and the demo keys live. */
  dataDir: string
  /** Absent: an embedded private Redis. */
  redisUrl?: string
  embeddedRedis: { serverBin?: string; durability: 'everysec' | 'strict'; maxMemory: Bytes }
  /** Base URL under which other nodes and resuming callers reach this node; derived from the first listener when absent. */
  advertiseUrl?: string
  /** Where a process that runs workers alone tells of its health and its metrics; null for nowhere. */
  workers: { listen: { host: string; port: number } | null }
  door: DoorConfig
  drain: { deadline: Ms }
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** Mixed into key hashes (HMAC-SHA-256); empty for none. */
  pepper: string
  /** HMAC of the operator's admin key. */
  adminKeyHash: string | null
  providers: ReadonlyMap<string, ProviderConfig>
  /** By the name a caller asks for. */
  models: ReadonlyMap<string, ModelConfig>
  plans: ReadonlyMap<string, PlanConfig>
  /** By tenant id, `[a-z0-9_]{1,40}`. */
  tenants: ReadonlyMap<string, TenantConfig>
  /** Of the whole installation. */
  limits: AccountLimits
  prices: PricesConfig
  ledger: LedgerConfig
  objective: Objective | null
  webhooks: readonly WebhookEndpoint[]
  /** What may be reached of the world outside, beside the providers. */
  outbound: OutboundRules
  media: MediaConfig
  /** Where spans are sent; null for nowhere. */
  traces: TracesConfig | null
}

/** `endpoint` null: OpenTelemetry's own variables say it. */
export interface TracesConfig {
  endpoint: string | null
  headers: Readonly<Record<string, string>>
}

export interface PricesConfig {
  sheet: PriceSheet
  /**
   * What becomes of a model whose price nobody knows: it is refused, or booked at the dearest known price of its kind and
   * marked estimated.
   */
  unknownModels: 'refuse' | 'dearest'
}

export type LedgerConfig = { type: 'sqlite'; file: string } | { type: 'postgres'; url: string }

export interface ListenerConfig {
  host: string
  /** 0 takes a free port. */
  port: number
  /** `self-signed` makes a certificate for localhost in the data folder; its path is printed at start. */
  tls: { certFile: string; keyFile: string } | 'self-signed' | null
}

/** Bounds on what one socket, one address and one node may do (reference: hardening, the edge). */
export interface DoorConfig {
  maxMessage: Bytes
  maxFragments: number
  messagesPerSecond: number
  messageBurst: number
  bytesPerSecond: Bytes
  byteBurst: Bytes
  /** From the upgrade to the first valid event. */
  firstEvent: Ms
  pingEvery: Ms
  socketsPerAddress: number
  upgradesPerAddressPerSecond: number
  maxSessions: number
  /** Share of maxSessions that may be parked at once, 0 to 1. */
  maxParkedShare: number
  /** CIDR ranges whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[]
  /** Origins allowed for tenants that name none of their own; exact scheme://host:port. */
  origins: readonly string[]
  /** A reader's backlog past which the other side is paused, and past which the reader is cut at once. */
  softBacklog: Bytes
  hardBacklog: Bytes
  /** How long a reader may stay over the soft backlog. */
  slowReader: Ms
}

export type ProviderConfig =
  | { type: 'openai'; apiKey: string; baseUrl: string; organization?: string; project?: string; dial: DialConfig }
  | { type: 'azure'; apiKey: string; endpoint: string; dial: DialConfig }
  | { type: 'openai-compatible'; apiKey?: string; baseUrl: string; traceparent?: boolean; dial: DialConfig }
  | { type: 'loopback'; dial: DialConfig }

/** How hard a provider is tried: each attempt has its own timeout, waits grow with full jitter between the two bounds. */
export interface DialConfig {
  timeout: Ms
  attempts: number
  backoff: { first: Ms; longest: Ms }
}

export interface ModelConfig {
  /** Tried in order. */
  targets: readonly { provider: string; model: string }[]
  /** Sessions are of the first two; jobs and drop-ins of the last two. */
  kind: 'conversation' | 'transcription' | 'vision'
}

export interface PlanConfig {
  session: SessionPolicy
  ceilings: Ceilings
  /** Models a caller may ask for; null for all. */
  models: readonly string[] | null
  limits: ScopeLimits
  jobs: JobLimits
  throttle: ThrottleConfig
  /** Percent of a budget at which callers are warned, rising. */
  budgetWarnings: readonly number[]
}

/** Rule L3's ladder. */
export interface ThrottleConfig {
  /** A response that cannot have as many tokens is held or refused. */
  smallestResponse: Tokens
  /** How long a response is held before it is refused. */
  maxDelay: Ms
  refusalsBeforeClose: number
  /** How many times faster than it is spoken a caller's audio is taken, where tokens or money are limited at all. */
  inputPace: number
  /** Audio that may come at once before that. */
  inputBurst: Ms
}

export interface TenantConfig {
  plan: string
  keys: readonly KeyConfig[]
  origins: readonly string[]
  suspended: boolean
  limits: LimitOverrides
}

export interface KeyConfig {
  /** The public part of the key, eight characters. */
  id: string
  /** Hex HMAC-SHA-256 of the whole key under the pepper. */
  hash: string
  scopes: readonly Scope[]
  /** The secret before the last rotation, good until `until`; null for until it is revoked. */
  former: { hash: string; until: Instant | null } | null
}

export type StorageConfig =
  | { type: 'folder'; path: string }
  | {
      type: 's3'
      bucket: string
      region: string
      endpoint?: string | undefined
      accessKeyId?: string | undefined
      secretAccessKey?: string | undefined
      pathStyle: boolean
    }

/** The batch door. Meanings and defaults stand in media-schema.ts. */
export interface MediaConfig {
  storage: StorageConfig
  tools: {
    ffmpeg?: string | undefined
    processes: number
    memory: Bytes
    longestAudio: Ms
    mostPixels: number
  }
  models: { transcription?: string | undefined; vision?: string | undefined }
  uploads: { largest: Bytes; largestResumable: Bytes; keepUnfinished: Ms; keepUnused: Ms; reserve: Bytes }
  queue: { jobs: number; calls: number; attempts: number; mostStarts: number; keepRecords: Ms; keepEvents: Ms }
  calls: {
    perProvider: number
    timeout: Ms
    attempts: number
    backoff: { first: Ms; longest: Ms }
    retryShare: number
    breaker: { failures: number; probeEvery: Ms }
    escalateBelow: number
    escalations: Readonly<Record<string, string>>
    keepAnswers: Ms
  }
}

/** What a tenant's media jobs may take. Null: no limit. */
export interface JobLimits {
  running: number | null
  waiting: number | null
  /** In the fair order among tenants. */
  weight: number
  storage: Bytes | null
  files: number | null
  requestsPerMinute: number | null
}
