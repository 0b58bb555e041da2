import { describe, expect, test } from 'vitest'
import { outboundUrl, type UrlRules } from '../../src/net/outbound-url.ts'
import { addressRange, isReachable, isSameAddress } from '../../src/net/public-address.ts'

const open: UrlRules = { allowHttp: true, ports: [8443], allowHosts: null }
const strict: UrlRules = { allowHttp: false, ports: [], allowHosts: null }
const refused = expect.objectContaining({ code: 'url_not_allowed' })
const hostOf = (text: string, rules = open) => outboundUrl(text, rules).host

describe('URLs that may be fetched', () => {
  test.each([
    ['https://example.com/a?b=c', 'example.com'],
    ['https://EXAMPLE.com./', 'example.com'],
    ['https://bücher.example/', 'xn--bcher-kva.example'],
    ['https://ex%61mple.com/', 'example.com'],
    ['https:\\\\example.com\\a', 'example.com'],
    ['https://example.com:8443/', 'example.com'],
    ['https://my_bucket.example.com/', 'my_bucket.example.com'],
  ])('%s', (text, host) => expect(hostOf(text)).toBe(host))

  test('neither fragment nor trailing dot goes out', () => {
    expect(outboundUrl('https://example.com./a#secret', strict).url.href).toBe('https://example.com/a')
  })
})

describe('every numeric spelling of the loopback is the loopback', () => {
  test.each([
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0x7f000001/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://127.0.0.1./',
    'http://127%2e0%2e0%2e1/',
    'http://１２７.0.0.1/',
    'http://127。0。0。1/',
    'http://[::ffff:127.0.0.1]/',
    'http://[0:0:0:0:0:ffff:7f00:1]/',
    'http://[::1]/',
    'http://0/',
  ])('%s', (text) => expect(isReachable(hostOf(text), [])).toBe(false))
})

describe('URLs that may not be fetched', () => {
  test.each([
    ['no URL', 'example.com/a'],
    ['a relative one', '/a'],
    ['another scheme', 'ftp://example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['data', 'data:text/plain,hi'],
    ['a user', 'https://user@example.com/'],
    ['a password', 'https://:pass@example.com/'],
    ['a host in the user info', 'https://example.com@127.0.0.1/'],
    ['another port', 'https://example.com:6379/'],
    ['a single label', 'https://redis/'],
    ['a single label with a dot', 'https://redis./'],
    ['localhost', 'https://localhost/'],
    ['a name under localhost', 'https://a.localhost/'],
    ['.local', 'https://printer.local/'],
    ['.local with a dot', 'https://printer.local./'],
    ['.internal', 'https://metadata.google.internal/'],
    ['.internal in other letters', 'https://metadata.google.ＩＮＴＥＲＮＡＬ/'],
    ['two trailing dots', 'https://example.com../'],
    ['an empty label', 'https://a..example.com/'],
    ['a long label', `https://${'a'.repeat(64)}.example.com/`],
    ['a long URL', `https://example.com/${'a'.repeat(2_048)}`],
    ['a number too large for an address', 'http://4294967296/'],
    ['a zone id', 'http://[fe80::1%25eth0]/'],
  ])('%s', (_name, text) => expect(() => outboundUrl(text, open)).toThrow(refused))

  test('http: only where the operator allows it', () => {
    expect(() => outboundUrl('http://example.com/', strict)).toThrow(refused)
    expect(() => outboundUrl('https://example.com:8443/', strict)).toThrow(refused)
  })

  test('with a list of hosts only those on it and under it, even if they are local names', () => {
    const listed = { ...open, allowHosts: ['example.com', 'media'] }
    expect(hostOf('https://example.com/', listed)).toBe('example.com')
    expect(hostOf('https://a.example.com/', listed)).toBe('a.example.com')
    expect(hostOf('https://media/', listed)).toBe('media')
    for (const other of ['https://badexample.com/', 'https://example.org/', 'http://93.184.215.14/']) {
      expect(() => outboundUrl(other, listed), other).toThrow(refused)
    }
  })
})

describe('addresses that may be reached', () => {
  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '0.0.0.0',
    '255.255.255.255',
    '224.0.0.1',
    '240.0.0.1',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    'fc00::1',
    'fec0::1',
    'fe80::1',
    'fe80::1%eth0',
    '100::1',
    '5f00::1',
    '3fff::1',
    '2001:db8::1',
    'ff02::1',
    'localhost',
    '',
  ])('%s is not public', (address) => expect(isReachable(address, [])).toBe(false))

  test.each(['93.184.215.14', '2606:2800:21f:cb07:6820:80da:af6b:8b2c', '::ffff:93.184.215.14'])('%s is', (address) =>
    expect(isReachable(address, [])).toBe(true),
  )

  test('a range opened by the operator opens that range only', () => {
    const ranges = [addressRange('10.1.0.0/16'), addressRange('fd00:1::/32')]
    expect(isReachable('10.1.2.3', ranges)).toBe(true)
    expect(isReachable('::ffff:10.1.2.3', ranges)).toBe(true)
    expect(isReachable('fd00:1::5', ranges)).toBe(true)
    for (const other of ['10.2.0.1', '127.0.0.1', 'fd00:2::5', '::1']) expect(isReachable(other, ranges)).toBe(false)
  })

  test('two spellings of one address are the same', () => {
    expect(isSameAddress('::ffff:10.0.0.1', '10.0.0.1')).toBe(true)
    expect(isSameAddress('0:0::1', '::1')).toBe(true)
    expect(isSameAddress('10.0.0.1', '10.0.0.2')).toBe(false)
    expect(isSameAddress('', '')).toBe(false)
  })
})
