import { defineConfig } from 'vitest/config'

/**
 * `unit`: pure, in parallel. `real`: real Redis, sockets, workers, one file beside another. `e2e`: whole processes, real
 * clients and a browser, one file at a time, because they measure deadlines from outside.
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
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 90_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
