import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { rolldown } from 'rolldown'

/**
 * Serves one page whose script is `entry` with everything it imports, bundled for browsers, the `body` given, and the files
 * given by name.
 */
export class PageServer implements AsyncDisposable {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(entry: string, files: Readonly<Record<string, Buffer>>, body = ''): Promise<PageServer> {
    const script = await bundle(entry)
    const server = createServer((request, response) => {
      const name = (request.url ?? '/').slice(1)
      const file = files[name]
      if (name === '') response.setHeader('Content-Type', 'text/html').end(html(body))
      else if (name === 'page.js') response.setHeader('Content-Type', 'text/javascript').end(script)
      else if (file !== undefined) response.end(file)
      else response.writeHead(404).end()
    })
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    return new PageServer(server)
  }

  /** The page's address under one of the machine's own names, each an origin of its own. */
  at(host: 'localhost' | '127.0.0.1'): string {
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }
}

function html(body: string): string {
  const head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Page</title>'
  return `<!doctype html><html lang="en"><head>${head}</head><body>${body}<script type="module" src="/page.js"></script></body></html>`
}

async function bundle(entry: string): Promise<string> {
  const build = await rolldown({ input: entry, platform: 'browser' })
  const { output } = await build.generate({ format: 'esm' })
  await build.close()
  return output[0].code
}
