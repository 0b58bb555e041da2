import { isIP } from 'node:net'
import { FaultError } from '../faults.ts'

/** Where outbound requests may go, by the look of the URL alone. */
export interface UrlRules {
  /** Also `http:`, not only `https:`. */
  readonly allowHttp: boolean
  /** Ports besides 80 and 443. */
  readonly ports: readonly number[]
  /**
   * Host names and the suffixes under which hosts lie (`example.com` stands for `cdn.example.com` too). Null: any public
   * host. A name on the list may also be one that only a local network knows.
   */
  readonly allowHosts: readonly string[] | null
}

export interface OutboundUrl {
  /** Without user info, fragment or trailing dot. */
  readonly url: URL
  /** An ASCII name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

const LONGEST_URL = 2_048
const LONGEST_HOST = 253
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
/** Top-level names that only a local network or this very host answers to. */
const LOCAL_NAMES = ['local', 'internal', 'localhost', 'localdomain', 'home', 'lan', 'corp', 'intranet', 'onion']

/**
 * Reads a URL as the fetcher will use it. Throws FaultError `url_not_allowed` with the rule that it breaks. The WHATWG
 * parser has already turned every numeric spelling of an IPv4 address into the dotted one.
 */
export function outboundUrl(text: string, rules: UrlRules): OutboundUrl {
  if (text.length > LONGEST_URL) throw refused(`the URL is longer than ${LONGEST_URL} characters`)
  const url = URL.parse(text)
  if (url === null) throw refused('this is no absolute URL')
  if (url.protocol !== 'https:' && !(rules.allowHttp && url.protocol === 'http:')) {
    throw refused(rules.allowHttp ? 'the URL must be https: or http:' : 'the URL must be https:')
  }
  if (url.username !== '' || url.password !== '') throw refused('the URL must not hold a user name or password')
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  if (port !== 80 && port !== 443 && !rules.ports.includes(port)) throw refused(`port ${port} is not allowed`)
  url.hash = ''
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  checkHost(host, rules.allowHosts)
  return { url, host, port }
}

function checkHost(host: string, allowed: readonly string[] | null): void {
  const isListed = allowed?.some((suffix) => host === suffix || host.endsWith(`.${suffix}`)) ?? false
  if (allowed !== null && !isListed) throw refused('the host is not on the list of allowed hosts')
  if (isIP(host) !== 0) return
  const labels = host.split('.')
  if (host.length > LONGEST_HOST || !labels.every((label) => LABEL.test(label)))
    throw refused('the host is no valid name')
  if (isListed) return
  if (labels.length < 2 || LOCAL_NAMES.includes(labels.at(-1) ?? '')) throw refused('the host is not a public one')
}

function refused(why: string): FaultError {
  return new FaultError('url_not_allowed', why, { param: 'url' })
}
