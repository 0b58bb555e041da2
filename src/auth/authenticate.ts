import type { Config, KeyConfig, TenantConfig } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import type { Instant } from '../units.ts'
import type { ClientSecrets } from './client-secrets.ts'
import { keyId, matches } from './keys.ts'
import { isAllowedOrigin } from './origin.ts'
import type { Principal } from './principal.ts'

/** What a request shows of who sends it. */
export interface Credentials {
  /** The key, client secret or resume token, wherever it travelled; null when there is none. */
  value: string | null
  /** The `Origin` header, as browsers send it. */
  origin: string | null
}

interface Headers {
  authorization?: string | undefined
  'api-key'?: string | string[] | undefined
  'sec-websocket-protocol'?: string | undefined
  origin?: string | undefined
}

/** The browser's way to send a key: a subprotocol, never echoed (reference: realtime protocol, connecting). */
const KEY_PROTOCOL = 'openai-insecure-api-key.'

/** Finds the credential: `Authorization: Bearer`, Azure's `api-key`, or OpenAI's browser subprotocol. */
export function credentialsOf(headers: Headers): Credentials {
  const bearer = /^Bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1]
  const apiKey = typeof headers['api-key'] === 'string' ? headers['api-key'] : undefined
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((p) => p.trim())
  const protocol = offered.find((p) => p.startsWith(KEY_PROTOCOL))?.slice(KEY_PROTOCOL.length)
  return { value: bearer ?? apiKey ?? protocol ?? null, origin: headers.origin ?? null }
}

/**
 * Who is calling. Throws `invalid_api_key`, `secret_expired`, `origin_not_allowed`, `tenant_suspended` or
 * `store_unavailable`. A client secret is only looked at: whoever lets its caller in takes one use of it.
 */
export async function authenticate(
  config: Config,
  secrets: ClientSecrets,
  credentials: Credentials,
  now: Instant,
): Promise<Principal> {
  const { value, origin } = credentials
  if (value === null) {
    throw new FaultError('invalid_api_key', 'You did not provide an API key. Send it as a Bearer token.')
  }
  if (value.startsWith('ek_')) return authenticateSecret(config, secrets, value, origin, now)
  const id = keyId(value)
  const found = id === null ? null : findKey(config, id)
  if (!isSecretOf(found?.key ?? null, value, config.pepper, now) || found === null) {
    throw new FaultError('invalid_api_key', 'Incorrect API key provided.')
  }
  // A server sends no Origin; a browser that holds a whole key must at least be on the tenant's own pages.
  if (origin !== null) requireOrigin(config, found.tenant, [], origin)
  const principal = { tenant: found.name, keyId: found.key.id, scopes: found.key.scopes, secret: null }
  secrets.keyUse.saw(principal.keyId, now)
  return admit(found.tenant, principal)
}

/** A key's present secret, or the one before while that is still good. Both are compared, whatever the first says. */
function isSecretOf(key: KeyConfig | null, value: string, pepper: string, now: Instant): boolean {
  const former = key?.former ?? null
  const isFormerGood = former !== null && (former.until === null || now < former.until)
  const isPresent = matches(value, key?.hash ?? null, pepper)
  return matches(value, isFormerGood ? former.hash : null, pepper) || isPresent
}

/** The same where only a key will do: a client secret is `forbidden`, and not used up. */
export async function authenticateKey(
  config: Config,
  secrets: ClientSecrets,
  credentials: Credentials,
  now: Instant,
): Promise<Principal> {
  if (credentials.value?.startsWith('ek_') === true)
    throw new FaultError('forbidden', 'A client secret cannot be used here.')
  return authenticate(config, secrets, credentials, now)
}

async function authenticateSecret(
  config: Config,
  secrets: ClientSecrets,
  value: string,
  origin: string | null,
  now: Instant,
): Promise<Principal> {
  const secret = await secrets.read(value, now)
  const tenant = config.tenants.get(secret.tenant)
  const isKeyGone = tenant?.keys.every((key) => key.id !== secret.keyId) ?? true
  if (tenant === undefined || isKeyGone)
    throw new FaultError('invalid_api_key', 'The client secret is not valid any more.')
  if (secret.origins.length > 0 || origin !== null) requireOrigin(config, tenant, secret.origins, origin)
  return admit(tenant, {
    tenant: secret.tenant,
    keyId: secret.keyId,
    scopes: ['realtime'],
    secret: { ...secret, expiresAt: secret.expiresAt as Instant },
  })
}

function admit(tenant: TenantConfig, principal: Principal): Principal {
  if (tenant.suspended) throw new FaultError('tenant_suspended', 'This account is suspended.')
  return principal
}

interface FoundKey {
  name: string
  tenant: TenantConfig
  key: KeyConfig
}

/** Keys by id, made once for each set of tenants: there may be thousands of them. */
const indexes = new WeakMap<Config['tenants'], ReadonlyMap<string, FoundKey>>()

export function findKey({ tenants }: Config, id: string): FoundKey | null {
  let index = indexes.get(tenants)
  if (index === undefined) {
    // Where two keys have one id, the first stays: those of the policy file come first.
    const found = [...tenants].flatMap(([name, tenant]) => tenant.keys.map((key) => ({ name, tenant, key })))
    index = new Map(found.reverse().map((entry) => [entry.key.id, entry]))
    indexes.set(tenants, index)
  }
  return index.get(id) ?? null
}

function requireOrigin(config: Config, tenant: TenantConfig, own: readonly string[], origin: string | null): void {
  const tenantList = tenant.origins.length > 0 ? tenant.origins : config.door.origins
  if (isAllowedOrigin(origin, own.length > 0 ? own : tenantList)) return
  throw new FaultError('origin_not_allowed', 'This page may not open sessions.')
}
