import { existsSync } from 'node:fs'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Log } from '../../log.ts'
import { readAsset, serveAsset } from './asset.ts'
import { type DemoDeps, demoRoutes } from './demo.ts'

export interface PageDeps extends DemoDeps {
  log: Log
}

/** Run from source, what was built lies in dist/; run from dist/, beside it. */
const isBuilt = import.meta.filename.endsWith('.js')
const WIDGET = new URL(isBuilt ? '../../../widget/' : '../../../dist/widget/', import.meta.url)
const CONSOLE = new URL(isBuilt ? '../../../console/' : '../../../dist/console/', import.meta.url)
const READER = new URL(isBuilt ? '../../../docs/' : '../../../dist/docs/', import.meta.url)
const PAGES = new URL('../../pages/', import.meta.url)

/** Seconds a browser keeps a file without asking again: a new release is everywhere within an hour. */
const KEPT = 3_600

/** Scripts and styles of this server and nothing else; no frames, no plug-ins, nothing inline. */
const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
} as const

const cspOf = (policy: Readonly<Record<string, string>>): string =>
  Object.entries(policy)
    .map((rule) => rule.join(' '))
    .join('; ')

export const PAGE_HEADERS = {
  'Content-Security-Policy': cspOf(POLICY),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Permissions-Policy': 'microphone=(self), camera=(), geolocation=()',
  'Referrer-Policy': 'no-referrer',
} as const

/** The console makes every element itself: no text of anybody's can become markup or script. It needs no microphone. */
const CONSOLE_HEADERS = {
  ...PAGE_HEADERS,
  'Content-Security-Policy': cspOf({ ...POLICY, 'require-trusted-types-for': "'script'", 'trusted-types': "'none'" }),
  'Permissions-Policy': 'microphone=(), camera=(), geolocation=()',
} as const

/** The reader of the document has pictures inside its style sheet, and styles that it writes itself. Its scripts are files. */
const READER_HEADERS = {
  ...PAGE_HEADERS,
  'Content-Security-Policy': cspOf({ ...POLICY, 'style-src': "'self' 'unsafe-inline'", 'img-src': "'self' data:" }),
} as const

/** Pages of any site may take the widget from here, also those that isolate themselves. */
const FOR_EVERYBODY = { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' } as const

/** As the page asks for them: each may override the ones before. */
const CONSOLE_STYLES = ['base', 'parts', 'tables', 'sheets', 'phone'].map((part) => `console-${part}.css`)

/** The landing page, the console, the page about the API, and the widget's files. */
export function pageRoutes(app: OpenAPIHono, deps: PageDeps): void {
  // Not kept without asking: the page is the first thing that somebody looks at after an update.
  serveAsset(app, '/', readAsset(new URL('landing.html', PAGES)), 0, PAGE_HEADERS)
  serveAsset(app, '/console', readAsset(new URL('console.html', PAGES)), 0, CONSOLE_HEADERS)
  serveAsset(app, '/docs', readAsset(new URL('docs.html', PAGES)), 0, READER_HEADERS)
  for (const name of [...CONSOLE_STYLES, 'landing.css', 'landing.js', 'docs.css', 'docs.js', 'icon.svg']) {
    serveAsset(app, `/pages/${name}`, readAsset(new URL(name, PAGES)), KEPT)
  }
  for (const name of ['console.js', 'console.js.map']) serveBuilt(app, `/console/${name}`, name, CONSOLE, deps.log)
  for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css'])
    serveBuilt(app, `/docs/${name}`, name, READER, deps.log)
  for (const name of ['parley-voice.js', 'parley-voice.mjs', 'parley-voice-audio.js']) {
    for (const file of [name, `${name}.map`]) {
      serveBuilt(app, `/widget/${file}`, file, WIDGET, deps.log, FOR_EVERYBODY)
    }
  }
  demoRoutes(app, deps)
}

/** What is built may not be there yet; the rest of the server does without. */
function serveBuilt(
  app: OpenAPIHono,
  path: string,
  name: string,
  folder: URL,
  log: Log,
  headers: Readonly<Record<string, string>> = {},
): void {
  const file = new URL(name, folder)
  if (existsSync(file)) serveAsset(app, path, readAsset(file), KEPT, headers)
  else log.warn({ file: name }, 'a file for browsers is not built: npm run build')
}
