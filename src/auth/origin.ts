/**
 * Exact comparison of scheme, host and port after parsing. `*` alone in the list allows every origin; `null` and a missing
 * header never match anything else.
 */
export function isAllowedOrigin(origin: string | null, allowed: readonly string[]): boolean {
  if (allowed.includes('*')) return true
  const normal = normalOrigin(origin)
  return normal !== null && allowed.some((entry) => normalOrigin(entry) === normal)
}

/** `scheme://host[:port]` with default ports left out; null for what is no web origin. */
export function normalOrigin(origin: string | null): string | null {
  if (origin === null || !URL.canParse(origin)) return null
  const url = new URL(origin)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null
  return url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' ? url.origin : null
}
