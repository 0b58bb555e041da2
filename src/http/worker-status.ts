import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { OpenAPIHono } from '@hono/zod-openapi'
import { type HealthDeps, healthRoutes } from './health.ts'

/** What is asked here is short and answered at once, ms. */
const REQUEST_WITHIN_MS = 5_000

/** Health and metrics of a process of workers, which has no other door. Rejects where the port cannot be had. */
export async function openWorkerStatus(
  listen: { readonly host: string; readonly port: number },
  deps: HealthDeps,
): Promise<AsyncDisposable & { readonly url: string }> {
  const app = new OpenAPIHono()
  healthRoutes(app, deps)
  const server = createServer({ requestTimeout: REQUEST_WITHIN_MS }, getRequestListener(app.fetch))
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(listen.port, listen.host, () => resolve())
  await promise
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${port}`,
    [Symbol.asyncDispose]: async () => {
      const { promise: closed, resolve: close } = Promise.withResolvers<void>()
      server.close(() => close())
      server.closeAllConnections()
      await closed
    },
  }
}
