import type { Context } from 'hono'
import type { IdempotentRequests, StoredAnswer } from '../../store/idempotent-requests.ts'
import { idempotencyOf } from './idempotency-key.ts'

/**
 * Does what a request asks for; once, where it names itself. `content`: what tells it from another request under the same key.
 * Sets the headers of the answer, of a repeated one as well. Only an answer that tells of success is kept: whatever was
 * refused may be asked for again under the same key. Throws `idempotency_conflict`, `idempotency_mismatch`.
 */
export async function doOnce(
  c: Context,
  once: IdempotentRequests,
  content: string,
  run: () => Promise<StoredAnswer>,
): Promise<StoredAnswer> {
  const idempotency = idempotencyOf(c, content)
  const { answer, replayed } =
    idempotency === null
      ? { answer: await run(), replayed: false }
      : await once.once(c.get('principal').tenant, idempotency, ({ status }) => status < 300, run)
  if (replayed) c.header('Idempotent-Replayed', 'true')
  for (const [name, value] of Object.entries(answer.headers)) c.header(name, value)
  return answer
}

/** The same for an answer in JSON. */
export async function jsonOnce<T>(
  c: Context,
  once: IdempotentRequests,
  content: string,
  run: () => Promise<{ readonly body: T; readonly headers?: Readonly<Record<string, string>> }>,
): Promise<T> {
  const answer = await doOnce(c, once, content, async () => {
    const { body, headers = {} } = await run()
    return { status: 200, headers, body: JSON.stringify(body) }
  })
  return JSON.parse(answer.body) as T
}
