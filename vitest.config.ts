import { defineConfig } from 'vitest/config'

/** Whole processes and a browser where no deadline is measured from outside. */
const WIDE = ['clients-*', 'console', 'docs', 'flood', 'landing', 'npm-start', 'readme', 'voice-looks'].map(
  (name) => `test/e2e/${name}.test.ts`,
)
/** A few sessions against the clock: what they do is to wait. */
const CLOCK = ['limits', 'voice', 'voice-limits'].map((name) => `test/e2e/${name}.test.ts`)

/**
 * `unit`: pure, in parallel. `real`: real Redis, sockets, workers, one file beside another. `wide` and `clock`: whole
 * processes, one file beside another. `e2e`: the same, one file at a time, because they measure deadlines from outside while
 * much is going on.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.real.test.ts', 'test/e2e/**'],
          // Properties are tried on hundreds of examples, which takes a busy machine its time.
          testTimeout: 20_000,
        },
      },
      { test: { name: 'real', include: ['test/**/*.real.test.ts'], testTimeout: 20_000, hookTimeout: 20_000 } },
      { test: { name: 'wide', include: WIDE, testTimeout: 90_000, hookTimeout: 60_000 } },
      { test: { name: 'clock', include: CLOCK, testTimeout: 90_000, hookTimeout: 60_000 } },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [...WIDE, ...CLOCK],
          testTimeout: 90_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
