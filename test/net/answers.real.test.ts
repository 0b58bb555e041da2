import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { FetcherParts } from '../../src/net/fetcher.ts'
import { bytes, ms } from '../../src/units.ts'
import { fails, fetcher, get, names, opened, serverOf, sink, textOf } from '../support/outbound.ts'

describe('what an outbound request gets', () => {
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
})
