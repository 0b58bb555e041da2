import { createHmac } from 'node:crypto'

const PREFIX = 'whsec_'
const FEWEST_BYTES = 24
const MOST_BYTES = 64

/** The key in a secret. Throws RangeError, without the secret, where it is none of Standard Webhooks 1.0. */
export function webhookKey(secret: string): Buffer {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : ''
  const key = Buffer.from(text, 'base64')
  const isExact = key.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '')
  if (!isExact || key.length < FEWEST_BYTES || key.length > MOST_BYTES) {
    throw new RangeError(`a webhook secret is ${PREFIX} and base64 of ${FEWEST_BYTES} to ${MOST_BYTES} bytes`)
  }
  return key
}

/**
 * The headers of one attempt (Standard Webhooks 1.0): HMAC-SHA256 over `id.timestamp.body` by every secret, so that a
 * receiver may hold any one of them. `at`: of this attempt, Unix seconds.
 */
export function signedHeaders(
  id: string,
  at: number,
  body: string,
  secrets: readonly string[],
): Record<string, string> {
  const signature = (secret: string) =>
    `v1,${createHmac('sha256', webhookKey(secret)).update(`${id}.${at}.${body}`).digest('base64')}`
  return {
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': secrets.map(signature).join(' '),
  }
}
