import { vi } from 'vitest'

/** Looks again and again until the assertion holds; its last failure is thrown when it does not within the time, ms. */
export function eventually(assertion: () => Promise<void> | void, within: number): Promise<void> {
  return vi.waitFor(assertion, { timeout: within, interval: 100 })
}
