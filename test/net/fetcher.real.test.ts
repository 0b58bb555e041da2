import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net'
import { gzipSync } from 'node:zlib'
import { generate } from 'selfsigned'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Fetcher, type FetcherParts, type OutboundRequest, type OutboundRules } from '../../src/net/fetcher.ts'
import type { OutboundResponse } from '../../src/net/response.ts'
import { bytes, ms } from '../../src/units.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const opened: Server[] = []
afterEach(async () => {
  for (const server of opened.splice(0)) {
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    if ('closeAllConnections' in server) (server as ReturnType<typeof createServer>).closeAllConnections()
    await promise
  }
})

async function listening(server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', () => resolve())
  await promise
  opened.push(server)
  return (server.address() as AddressInfo).port
}

const serverOf = (handler: Handler) => listening(createServer(handler))

/** Takes connections and bytes, and counts both. */
async function sink() {
  const seen = { connections: 0, bytes: 0 }
  const { promise: closed, resolve: onClose } = Promise.withResolvers<void>()
  const server = createTcpServer((socket) => {
    seen.connections++
    socket.on('data', (chunk) => {
      seen.bytes += chunk.length
    })
    socket.on('error', () => undefined)
    socket.on('close', () => onClose())
  })
  return { port: await listening(server), seen, closed }
}

const names = (table: Record<string, string[]>): FetcherParts => ({
  resolve: async (host) => table[host] ?? Promise.reject(new Error('no such name')),
})

function fetcher(
  port: number | readonly number[],
  rules: Partial<OutboundRules> = {},
  parts: FetcherParts = {},
): Fetcher {
  const ports = [port].flat()
  const all = { allowHttp: true, ports, allowHosts: null, allowPrivate: ['127.0.0.0/8'], ...rules }
  return new Fetcher(() => all, systemClock, parts)
}

const get = (url: string, more: Partial<OutboundRequest> = {}): OutboundRequest => ({
  url,
  method: 'GET',
  maxBytes: bytes(1_000_000),
  redirects: 3,
  ...more,
})

async function textOf(response: OutboundResponse): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const chunk of response.body()) parts.push(chunk)
  return Buffer.concat(parts).toString()
}

const fails = (code: string, message?: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message ?? /./) })

describe('the outbound fetcher', () => {
  test('asks as itself, plainly, and hands the body out as it comes', async () => {
    const { promise, resolve } = Promise.withResolvers<IncomingMessage>()
    const port = await serverOf((request, response) => {
      resolve(request)
      response.end('hello')
    })
    const response = await fetcher(port).fetch(
      get(`http://127.0.0.1:${port}/a?b=c#d`, { headers: { Accept: 'audio/*' } }),
    )
    expect(response.status).toBe(200)
    expect(await textOf(response)).toBe('hello')
    const { headers, url } = await promise
    expect(url).toBe('/a?b=c')
    expect(headers).toEqual({
      accept: 'audio/*',
      'accept-encoding': 'identity',
      connection: 'close',
      host: `127.0.0.1:${port}`,
      'user-agent': 'Parley/1 (+outbound)',
    })
  })

  test('connects to the address found, under the name asked for', async () => {
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    const port = await serverOf((request, response) => {
      resolve(request.headers.host)
      response.end()
    })
    const parts = names({ 'media.example.com': ['127.0.0.1'] })
    await using response = await fetcher(port, {}, parts).fetch(get(`http://media.example.com.:${port}/`))
    expect(response.status).toBe(200)
    expect(await promise).toBe(`media.example.com:${port}`)
  })

  test('speaks TLS under the name asked for, and only with a certificate for it', async () => {
    const pems = await generate([{ name: 'commonName', value: 'media.example.com' }], {
      keySize: 2_048,
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'media.example.com' }] }],
    })
    const served: (string | false)[] = []
    const server = createTlsServer({ key: pems.private, cert: pems.cert }, (request, response) => {
      served.push((request.socket as unknown as { servername: string | false }).servername)
      response.end('secret')
    })
    const port = await listening(server)
    const parts = names({ 'media.example.com': ['127.0.0.1'], 'other.example.com': ['127.0.0.1'] })
    const trusting = fetcher(port, { ca: pems.cert }, parts)
    expect(await textOf(await trusting.fetch(get(`https://media.example.com:${port}/`)))).toBe('secret')
    expect(served).toEqual(['media.example.com'])
    await expect(trusting.fetch(get(`https://other.example.com:${port}/`))).rejects.toEqual(
      fails('fetch_failed', /secure/),
    )
    await expect(fetcher(port, {}, parts).fetch(get(`https://media.example.com:${port}/`))).rejects.toEqual(
      fails('fetch_failed', /secure/),
    )
    expect(served).toHaveLength(1)
  })

  test.each([
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '0177.1',
    '127.0.0.1.',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::1]',
    '0.0.0.0',
    '１２７.1',
    'localhost',
    'localhost.',
    'private.example.com',
    'mixed.example.com',
    'mapped.example.com',
    'six.example.com',
  ])('never reaches the loopback by http://%s', async (host) => {
    const { port, seen } = await sink()
    const parts = names({
      localhost: ['127.0.0.1'],
      'private.example.com': ['127.0.0.1'],
      'mixed.example.com': ['93.184.215.14', '127.0.0.1'],
      'mapped.example.com': ['::ffff:127.0.0.1'],
      'six.example.com': ['::1'],
    })
    const guarded = fetcher(port, { allowPrivate: [] }, parts)
    await expect(guarded.fetch(get(`http://${host}:${port}/`))).rejects.toEqual(fails('url_not_allowed'))
    expect(seen.connections).toBe(0)
  })

  test('a name is looked up once, so one that changes its mind gains nothing', async () => {
    const { port, seen } = await sink()
    let asked = 0
    const dialled: string[] = []
    const guarded = fetcher(
      port,
      { allowPrivate: [] },
      {
        resolve: async () => (asked++ === 0 ? ['93.184.215.14'] : ['127.0.0.1']),
        dial: (address) => {
          dialled.push(address)
          return connect({ host: '127.0.0.1', port: 1 })
        },
      },
    )
    await expect(guarded.fetch(get(`http://rebind.example.com:${port}/`))).rejects.toEqual(fails('fetch_failed'))
    expect(asked).toBe(1)
    expect(dialled).toEqual(['93.184.215.14'])
    expect(seen.connections).toBe(0)
  })

  test.each(['http', 'https'])(
    'a connection that leads elsewhere is dropped before a byte of %s is written',
    async (scheme) => {
      const { port, seen, closed } = await sink()
      const guarded = fetcher(
        port,
        { allowPrivate: [] },
        {
          ...names({ 'a.example.com': ['93.184.215.14'] }),
          dial: (_address, to) => connect({ host: '127.0.0.1', port: to }),
        },
      )
      await expect(guarded.fetch(get(`${scheme}://a.example.com:${port}/`))).rejects.toEqual(fails('url_not_allowed'))
      await closed
      expect(seen.bytes).toBe(0)
    },
  )

  test.each([
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:10.0.0.1]/',
    'http://user@127.0.0.1/',
    'http://127.0.0.1:6379/',
    'http://metadata.google.internal/',
    'file:///etc/passwd',
    '//localhost/',
    'https://inside.example.com/',
  ])('a redirect to %s is not followed', async (location) => {
    const port = await serverOf((_request, response) => response.writeHead(302, { location }).end())
    const guarded = fetcher(port, {}, names({ 'inside.example.com': ['10.0.0.1'] }))
    await expect(guarded.fetch(get(`http://127.0.0.1:${port}/`))).rejects.toEqual(fails('url_not_allowed'))
  })

  test('three redirects are followed, without anything that could be a credential; a fourth is not', async () => {
    const asked: { url: string | undefined; headers: IncomingMessage['headers'] }[] = []
    const port = await serverOf(({ url, headers }, response) => {
      asked.push({ url, headers })
      const left = Number(url?.slice(1))
      if (left === 0) response.end('here')
      else response.writeHead(307, { location: `/${left - 1}` }).end('x'.repeat(100_000))
    })
    const headers = { Authorization: 'Bearer key', 'X-Api-Key': 'key', Accept: 'audio/*' }
    const response = await fetcher(port).fetch(get(`http://127.0.0.1:${port}/3`, { headers }))
    expect(await textOf(response)).toBe('here')
    expect(response.url.pathname).toBe('/0')
    expect(asked.map(({ headers: sent }) => sent.authorization ?? sent['x-api-key'] ?? null)).toEqual([
      'Bearer key',
      null,
      null,
      null,
    ])
    expect(asked.map(({ headers: sent }) => sent.accept)).toEqual(Array(4).fill('audio/*'))
    await expect(fetcher(port).fetch(get(`http://127.0.0.1:${port}/4`))).rejects.toEqual(
      fails('fetch_failed', /too many redirects/),
    )
  })

  test('a redirect from https to http is not followed', async () => {
    const pems = await generate([{ name: 'commonName', value: 'a.example.com' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'a.example.com' }] }],
    })
    const server = createTlsServer({ key: pems.private, cert: pems.cert }, (_request, response) =>
      response.writeHead(301, { location: 'http://a.example.com/' }).end(),
    )
    const port = await listening(server)
    const guarded = fetcher(port, { ca: pems.cert }, names({ 'a.example.com': ['127.0.0.1'] }))
    await expect(guarded.fetch(get(`https://a.example.com:${port}/`))).rejects.toEqual(
      fails('url_not_allowed', /from https: to http:/),
    )
  })

  test('a post is not sent on: the redirect is its answer', async () => {
    const bodies: string[] = []
    const port = await serverOf((request, response) => {
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()))
      request.on('end', () => response.writeHead(308, { location: '/elsewhere' }).end())
    })
    const body = Buffer.from('{}')
    await using response = await fetcher(port).fetch(get(`http://127.0.0.1:${port}/`, { method: 'POST', body }))
    expect(response.status).toBe(308)
    expect(bodies).toEqual(['{}'])
  })

  test('a body is cut at its cap while it streams, and the sender is cut off', async () => {
    const { promise: cutOff, resolve } = Promise.withResolvers<void>()
    const port = await serverOf((_request, response) => {
      response.on('close', () => resolve())
      const more = () => {
        while (response.write(Buffer.alloc(16_384)));
        response.once('drain', more)
      }
      more()
    })
    const response = await fetcher(port).fetch(get(`http://127.0.0.1:${port}/`, { maxBytes: bytes(100_000) }))
    let seen = 0
    const read = async () => {
      for await (const chunk of response.body()) seen += chunk.length
    }
    await expect(read()).rejects.toEqual(fails('fetch_too_large'))
    expect(seen).toBeLessThanOrEqual(100_000)
    expect(seen).toBeGreaterThan(0)
    await cutOff
  })

  test('a body announced as too large is not begun', async () => {
    const port = await serverOf((_request, response) =>
      response.writeHead(200, { 'content-length': '5000' }).write('x'),
    )
    const response = await fetcher(port).fetch(get(`http://127.0.0.1:${port}/`, { maxBytes: bytes(4_999) }))
    await expect(response.body().next()).rejects.toEqual(fails('fetch_too_large'))
  })

  test('the head of a body is had without the rest', async () => {
    const port = await serverOf((_request, response) => {
      const more = () => {
        while (response.write('abcdefgh'.repeat(2_000)));
        response.once('drain', more)
      }
      more()
    })
    const response = await fetcher(port).fetch(get(`http://127.0.0.1:${port}/`, { maxBytes: bytes(10) }))
    expect(Buffer.from(await response.head(12)).toString()).toBe('abcdefghabcd')
  })

  test('a compressed body is refused', async () => {
    const port = await serverOf((_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000))),
    )
    const response = await fetcher(port).fetch(get(`http://127.0.0.1:${port}/`))
    await expect(response.body().next()).rejects.toEqual(fails('fetch_failed', /compressed/))
  })

  test('an answer that ends before its length is a failure', async () => {
    const port = await serverOf((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('only this', () => response.destroy())
    })
    const response = await fetcher(port).fetch(get(`http://127.0.0.1:${port}/`))
    await expect(textOf(response)).rejects.toEqual(fails('fetch_failed', /cut short/))
  })

  test('headers past 16 KiB are a failure', async () => {
    const port = await serverOf((_request, response) => response.writeHead(200, { 'x-long': 'a'.repeat(17_000) }).end())
    await expect(fetcher(port).fetch(get(`http://127.0.0.1:${port}/`))).rejects.toEqual(fails('fetch_failed'))
  })

  test('every stage has its limit', async () => {
    const { port } = await sink()
    const short = ms(40)
    const url = `http://a.example.com:${port}/`
    const known = names({ 'a.example.com': ['127.0.0.1'] })
    const attempt = (parts: FetcherParts, to = url) => fetcher(port, {}, parts).fetch(get(to))
    const never = Promise.withResolvers<never>().promise
    await expect(attempt({ resolve: () => never, times: { dns: short } })).rejects.toEqual(
      fails('fetch_failed', /looking up/),
    )
    await expect(attempt({ ...known, times: { firstByte: short } })).rejects.toEqual(fails('fetch_failed', /to answer/))
    await expect(attempt({ ...known, times: { tls: short } }, url.replace('http', 'https'))).rejects.toEqual(
      fails('fetch_failed', /TLS/),
    )
    await expect(fetcher(port, {}, known).fetch(get(url, { total: short }))).rejects.toEqual(
      fails('fetch_failed', /in all/),
    )

    const slow = await serverOf((_request, response) => response.write('a'))
    const response = await fetcher(slow, {}, { times: { idle: short } }).fetch(get(`http://127.0.0.1:${slow}/`))
    await expect(textOf(response)).rejects.toEqual(fails('fetch_failed', /stopped coming/))
    const untouched = await fetcher(slow).fetch(get(`http://127.0.0.1:${slow}/`, { total: ms(80) }))
    await expect(textOf(untouched)).rejects.toEqual(fails('fetch_failed', /in all/))
  })

  test('an address that does not answer leaves time for the next', async () => {
    const port = await serverOf((_request, response) => response.end('second'))
    const guarded = fetcher(
      port,
      { allowPrivate: ['127.0.0.0/8', '10.0.0.0/8'] },
      {
        ...names({ 'two.example.com': ['127.0.0.2', '127.0.0.1'] }),
        times: { connect: ms(200) },
      },
    )
    expect(await textOf(await guarded.fetch(get(`http://two.example.com:${port}/`)))).toBe('second')
  })

  test('the caller can hang up, and learns its own reason', async () => {
    const { port } = await sink()
    const hangUp = new AbortController()
    const reason = new Error('job cancelled')
    const attempt = fetcher(port).fetch(get(`http://127.0.0.1:${port}/`, { signal: hangUp.signal }))
    opened[0]?.once('connection', () => hangUp.abort(reason))
    await expect(attempt).rejects.toBe(reason)
    await expect(fetcher(port).fetch(get(`http://127.0.0.1:${port}/`, { signal: hangUp.signal }))).rejects.toBe(reason)
  })

  test('four requests at a time reach one host; the others wait for their turn', async () => {
    const held: ServerResponse[] = []
    let isOpen = false
    const { promise: four, resolve } = Promise.withResolvers<void>()
    const port = await serverOf(({ url }, response) => {
      if (url === '/ping' || isOpen) response.end('done')
      else held.push(response)
      if (held.length === 4) resolve()
    })
    const shared = fetcher(port)
    const all = Array.from({ length: 12 }, async () => textOf(await shared.fetch(get(`http://127.0.0.1:${port}/`))))
    await four
    // A fifth would have come long before these have been there and back.
    for (let i = 0; i < 5; i++) await textOf(await fetcher(port).fetch(get(`http://127.0.0.1:${port}/ping`)))
    expect(held).toHaveLength(4)
    isOpen = true
    for (const response of held) response.end('done')
    expect(await Promise.all(all)).toEqual(Array(12).fill('done'))
  })

  test('failures give their turn back', async () => {
    const { port } = await sink()
    const shared = fetcher(port, {}, { times: { firstByte: ms(30) } })
    const all = Array.from({ length: 9 }, () => shared.fetch(get(`http://127.0.0.1:${port}/`)).catch(() => 'failed'))
    expect(await Promise.all(all)).toEqual(Array(9).fill('failed'))
  })

  test('proxies named in the environment are not used', async () => {
    const proxy = await sink()
    const port = await serverOf((_request, response) => response.end('direct'))
    const before = { ...process.env }
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']) {
      process.env[name] = name.startsWith('NODE') ? '1' : `http://127.0.0.1:${proxy.port}`
    }
    try {
      expect(await textOf(await fetcher(port).fetch(get(`http://127.0.0.1:${port}/`)))).toBe('direct')
      expect(proxy.seen.connections).toBe(0)
    } finally {
      process.env = before
    }
  })
})
