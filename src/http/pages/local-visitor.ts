import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'

/** What proxies add. One on this machine makes every visitor look as if it came from here. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via', 'cf-connecting-ip']
const LOCAL_NAMES: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * True for a browser on this very machine that asks for it by a name of its own: not through a proxy, and not by a
 * foreign name that somebody has pointed here (DNS rebinding). Pages of other sites are told apart by `Origin`.
 */
export function isLocalVisitor(c: Context): boolean {
  const { address } = getConnInfo(c).remote
  if (address === undefined || !ipaddr.isValid(address)) return false
  if (ipaddr.process(address).range() !== 'loopback') return false
  if (FORWARDED.some((name) => c.req.header(name) !== undefined)) return false
  const host = URL.parse(`http://${c.req.header('host') ?? ''}`)
  if (host === null || !LOCAL_NAMES.has(host.hostname)) return false
  const origin = c.req.header('origin')
  return origin === undefined || URL.parse(origin)?.host === host.host
}
