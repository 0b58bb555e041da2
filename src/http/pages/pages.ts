import { existsSync } from 'node:fs'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Log } from '../../log.ts'
import { type Asset, readAsset, serveAsset } from './asset.ts'
import { type DemoDeps, demoRoutes } from './demo.ts'

export interface PageDeps extends DemoDeps {
  log: Log
}

/** Run from source, what was built lies in dist/; run from dist/, beside it. */
const isBuilt = import.meta.filename.endsWith('.js')
const WIDGET = new URL(isBuilt ? '../../../widget/' : '../../../dist/widget/', import.meta.url)
const PAGES = new URL('../../pages/', import.meta.url)

/** Seconds a browser keeps a file without asking again: a new release is everywhere within an hour. */
const KEPT = 3_600

/** Scripts and styles of this server and nothing else; no frames, no plug-ins, nothing inline. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const PAGE_HEADERS = {
  'Content-Security-Policy': CSP,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Permissions-Policy': 'microphone=(self), camera=(), geolocation=()',
  'Referrer-Policy': 'no-referrer',
} as const

/** Pages of any site may take the widget from here, also those that isolate themselves. */
const FOR_EVERYBODY = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' } as const

/** The landing page, and the widget's files. */
export function pageRoutes(app: OpenAPIHono, deps: PageDeps): void {
  // Not kept without asking: the page is the first thing that somebody looks at after an update.
  serveAsset(app, '/', readAsset(new URL('landing.html', PAGES)), 0, PAGE_HEADERS)
  for (const name of ['landing.css', 'landing.js', 'icon.svg']) {
    serveAsset(app, `/pages/${name}`, readAsset(new URL(name, PAGES)), KEPT)
  }
  for (const name of ['parley-voice.js', 'parley-voice.mjs', 'parley-voice-audio.js']) {
    for (const file of [name, `${name}.map`]) {
      const asset = builtAsset(file)
      if (asset !== null) serveAsset(app, `/widget/${file}`, asset, KEPT, FOR_EVERYBODY)
      else deps.log.warn({ file }, 'the widget is not built: npm run build')
    }
  }
  demoRoutes(app, deps)
}

function builtAsset(name: string): Asset | null {
  const file = new URL(name, WIDGET)
  return existsSync(file) ? readAsset(file) : null
}
