import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.map': 'application/json',
}

/** A file that is served as it is, read once. */
export interface Asset {
  type: string
  body: Uint8Array<ArrayBuffer>
  gzipped: Uint8Array<ArrayBuffer>
  etag: string
}

/** Throws for a file that is not there, and for one of a kind that no page needs. */
export function readAsset(file: URL): Asset {
  const type = TYPES[extname(file.pathname)]
  if (type === undefined) throw new Error(`no page needs files of the kind of ${file.pathname}`)
  const body = new Uint8Array(readFileSync(file))
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  return { type, body, gzipped: new Uint8Array(gzipSync(body, { level: 9 })), etag }
}

/** Serves an asset at a path. Browsers keep it for `maxAge` seconds, then ask whether it is still the same. */
export function serveAsset(
  app: OpenAPIHono,
  path: string,
  asset: Asset,
  maxAge: number,
  headers: Readonly<Record<string, string>> = {},
): void {
  app.get(path, (c) => {
    for (const [name, value] of Object.entries(headers)) c.header(name, value)
    c.header('Cache-Control', `public, max-age=${maxAge}`)
    c.header('X-Content-Type-Options', 'nosniff')
    c.header('Vary', 'Accept-Encoding')
    c.header('ETag', asset.etag)
    if (knows(c, asset.etag)) return c.body(null, 304)
    c.header('Content-Type', asset.type)
    if (!takesGzip(c)) return c.body(asset.body)
    c.header('Content-Encoding', 'gzip')
    return c.body(asset.gzipped)
  })
}

function knows(c: Context, etag: string): boolean {
  const known = c.req.header('if-none-match')?.split(',') ?? []
  return known.some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*')
}

function takesGzip(c: Context): boolean {
  return /(^|,)\s*gzip\s*(;\s*q=(1|0\.[1-9]))?\s*(,|$)/i.test(c.req.header('accept-encoding') ?? '')
}
