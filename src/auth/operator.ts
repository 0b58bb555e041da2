import type { Config } from '../config/config.ts'
import { FaultError } from '../faults.ts'
import type { Instant } from '../units.ts'
import { authenticateKey, type Credentials } from './authenticate.ts'
import type { ClientSecrets } from './client-secrets.ts'
import { keyId, matches } from './keys.ts'

/** Whether the credential is the operator's own key, which sees and changes everything. */
export function isOperator({ adminKeyHash, pepper }: Config, { value }: Credentials): boolean {
  return value !== null && keyId(value) !== null && adminKeyHash !== null && matches(value, adminKeyHash, pepper)
}

/** Throws `forbidden` for a tenant's key, `invalid_api_key` for what is no key at all. */
export async function requireOperator(
  config: Config,
  secrets: ClientSecrets,
  credentials: Credentials,
  now: Instant,
): Promise<void> {
  if (isOperator(config, credentials)) return
  await authenticateKey(config, secrets, credentials, now)
  throw new FaultError('forbidden', 'Only the key of the operator can be used here.')
}
