import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { FaultError } from '../../faults.ts'
import type { Idempotency } from '../../media/job-store.ts'
import { type Ms, ms } from '../../units.ts'

/** How long an answer is given again. */
export const ANSWERS_KEPT = ms(24 * 3_600_000)

const VISIBLE = /^[!-~]{1,255}$/

/**
 * What a request is known by, from its `Idempotency-Key`: bare, as live APIs have it, or a quoted string, as the IETF's draft
 * has it. Null without one. `content`: what tells it from another request under the same key, beside method and path.
 */
export function idempotencyOf(c: Context, content: string, keep: Ms = ANSWERS_KEPT): Idempotency | null {
  const header = c.req.header('idempotency-key')
  if (header === undefined) return null
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header)?.[1]
  const value = quoted === undefined ? header : quoted.replace(/\\(.)/g, '$1')
  if (!VISIBLE.test(value)) {
    throw new FaultError('invalid_request', 'Idempotency-Key takes 1 to 255 visible characters.', {
      param: 'Idempotency-Key',
    })
  }
  const { tenant } = c.get('principal')
  const { method, path } = c.req
  return { key: digest(tenant, method, path, value), fingerprint: digest(method, path, content), keep }
}

/** Each part by its length first, so that no two lists of parts give one text. */
function digest(...parts: string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:${part}`)
  return hash.digest('hex')
}

/** A JSON body in one spelling: objects by the order of their keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}
