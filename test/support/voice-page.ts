import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

/** What a client secret is asked for with; `null`: the backend has none to give. */
export type MintOrder = Record<string, unknown> | null

export interface VoicePageOptions {
  /** Where the page's script and its conversations come from. */
  parley: string
  /** Where conversations go; as above when left out. */
  door?: string
  /** The application's key at Parley, which its page never sees. */
  key: string
}

const SESSION = { type: 'realtime', model: 'gpt-realtime' }
const pageFile = (name: string) => fileURLToPath(new URL(`../e2e/pages/voice/${name}`, import.meta.url))

/**
 * An application with a voice widget: a page under the strictest policy that works, and a backend that mints. What the
 * widget plays and hears is recorded on the sound card's own clock.
 */
export class VoicePage implements AsyncDisposable {
  /** For the next secrets; set before the page asks. */
  order: MintOrder = { session: SESSION }
  /** Given in place of a fresh secret when set. */
  secret: string | null = null
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  static async start({ parley, door = parley, key }: VoicePageOptions): Promise<VoicePage> {
    const scripts = new Map([
      ['/page.js', await bundle(pageFile('page.ts'))],
      ['/tap.js', await bundle(pageFile('tap.ts'))],
    ])
    const server = createServer(async (request, response) => {
      const script = scripts.get(request.url ?? '')
      if (script !== undefined) return response.setHeader('Content-Type', 'text/javascript').end(script)
      if (request.url === '/secret') {
        const secret = await page.#mint(parley, key)
        return response.writeHead(secret === null ? 503 : 200, { 'Content-Type': 'application/json' }).end(secret)
      }
      if (request.url !== '/') return response.writeHead(404).end()
      response.setHeader('Content-Type', 'text/html; charset=utf-8')
      response.setHeader('Content-Security-Policy', policy(parley, door))
      return response.end(html(parley, door))
    })
    const page = new VoicePage(server)
    const { promise, resolve } = Promise.withResolvers<void>()
    server.listen(0, '127.0.0.1', resolve)
    await promise
    return page
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}/`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }

  async #mint(parley: string, key: string): Promise<string | null> {
    if (this.secret !== null) return JSON.stringify({ value: this.secret })
    if (this.order === null) return null
    const answer = await fetch(`${parley}/v1/realtime/client_secrets`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(this.order),
    })
    if (!answer.ok) throw new Error(`no secret: ${await answer.text()}`)
    return answer.text()
  }
}

/** Scripts of the page and of Parley, nothing inline, nothing evaluated; trusted types for whatever is left. */
function policy(parley: string, door: string): string {
  const talk = new Set([parley, parley.replace('http', 'ws'), door.replace('http', 'ws')])
  return [
    "default-src 'none'",
    `script-src 'self' ${parley}`,
    `connect-src 'self' ${[...talk].join(' ')}`,
    "require-trusted-types-for 'script'",
    "base-uri 'none'",
  ].join('; ')
}

function html(parley: string, door: string): string {
  return `<!doctype html><html lang="en"><head><title>Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<script src="/page.js"></script><script src="${parley}/widget/parley-voice.js" defer></script></head>
<body><main><h1>Shop</h1><parley-voice secret-url="/secret" parley-url="${door}"></parley-voice></main></body></html>`
}

async function bundle(entry: string): Promise<string> {
  const build = await rolldown({ input: entry, platform: 'browser' })
  const { output } = await build.generate({ format: 'iife' })
  await build.close()
  return output[0].code
}
