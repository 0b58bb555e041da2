import type { IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import { generate } from 'selfsigned'
import { describe, expect, test } from 'vitest'
import { fails, fetcher, get, listening, names, serverOf, sink, textOf } from '../support/outbound.ts'

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
