import { vi } from 'vitest'

/**
 * Looks again and again, every `interval` ms, until the assertion holds; its last failure is thrown when it does not within
 * the time, ms.
 */
export function eventually(assertion: () => Promise<void> | void, within: number, interval = 100): Promise<void> {
  return vi.waitFor(assertion, { timeout: within, interval })
}
