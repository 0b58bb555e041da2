/** How long the page's backend may take, ms. */
const PATIENCE_MS = 15_000

/** What a page may give: the secret, or the answer of `POST /v1/realtime/client_secrets` as it came. */
export type SecretAnswer = string | { value: string } | { client_secret: { value: string } }

/** Asks the page's own backend. Rejects when it gives no secret. */
export async function fetchSecret(url: URL): Promise<string> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const answer = await fetch(url, { method: 'POST', headers: { Accept: 'application/json' }, signal })
  if (!answer.ok) throw new Error(`The page's backend gave no client secret: HTTP ${answer.status}.`)
  const text = await answer.text()
  return secretOf(text.trimStart().startsWith('{') ? (JSON.parse(text) as SecretAnswer) : text.trim())
}

/** Throws for what is no secret, and for a key: one that has come to a page is a key that anybody can read. */
export function secretOf(answer: SecretAnswer): string {
  const value =
    typeof answer === 'string' ? answer : 'client_secret' in answer ? answer.client_secret.value : answer.value
  if (typeof value !== 'string' || value === '') throw new Error('No client secret was given.')
  if (/^sk[_-]/.test(value)) throw new Error('A key must never reach a page: give a client secret (ek_…).')
  return value
}
