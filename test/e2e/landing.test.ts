import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page as Tab } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pcm, silence, speech } from '../../fixtures/index.ts'
import { openChromium, speaking } from '../support/chromium.ts'
import { DemoNode } from '../support/demo-node.ts'
import { demo, Parley, TempFolder } from '../support/parley.ts'
import { writeWav } from '../support/wav-file.ts'
import { buildWidget } from '../support/widget-build.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
/** Of everything that a page with the widget loads, bytes as sent. */
const LARGEST_WIDGET = 25 * 1_024

describe('the landing page', () => {
  const stack = new AsyncDisposableStack()
  let node: DemoNode
  let browser: Browser
  beforeAll(async () => {
    buildWidget()
    const folder = stack.use(new TempFolder())
    node = stack.use(await DemoNode.start())
    const sound = Buffer.concat([silence(1_000), pcm(speech.weather), silence(30_000)])
    browser = await openChromium(speaking(writeWav(join(folder.path, 'once.wav'), sound)))
    stack.defer(() => browser.close())
  })
  afterAll(() => stack.disposeAsync())

  async function open(url: string, width = 1_280): Promise<Tab> {
    const tab = await browser.newPage({ viewport: { width, height: 900 } })
    await tab.goto(url)
    await tab.waitForSelector('html[data-ready]')
    return tab
  }

  test('V1 the widget on it holds a spoken conversation', async () => {
    const tab = await open(node.url)
    await tab.getByRole('button', { name: 'Start talking' }).click()
    await tab.getByText(/It heard .* s of speech and says it back/).waitFor()
    await tab
      .getByText(/\$0\.\d{4}/)
      .first()
      .waitFor()
    await tab.close()
  })

  test('R1 its examples work as they are copied', async () => {
    const tab = await open(node.url)
    const text = async (id: string) => (await tab.locator(`#${id}`).textContent()) ?? ''
    const curl = spawnSync('sh', ['-ec', await text('curl')], { encoding: 'utf8' })
    expect(curl.stdout).toContain('"value":"ek_')
    const script = spawnSync(process.execPath, ['--input-type=module', '-e', await text('node')], { encoding: 'utf8' })
    expect(script.stdout).toBe('This is the loopback provider. It read 13 characters.\n')
    expect(await text('tag')).toContain(`src="${node.url}/widget/parley-voice.js"`)
    expect(await text('key')).toBe(node.key)
    await tab.close()
  })

  test('V1 it can be used by everybody, on a phone as well, and takes nothing from elsewhere', async () => {
    for (const [width, colorScheme] of [
      [1_280, 'light'],
      [1_280, 'dark'],
      [360, 'light'],
    ] as const) {
      const tab = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
      const complaints: string[] = []
      const hosts = new Set<string>()
      tab.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
      tab.on('request', (request) => hosts.add(new URL(request.url()).origin))
      await tab.goto(node.url)
      await tab.waitForSelector('html[data-ready]')
      await tab.evaluate(axe)
      const found = await tab.evaluate(async () => {
        const { violations } = await (globalThis as never as Axe).axe.run()
        return violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`)
      })
      expect(found).toEqual([])
      expect(complaints).toEqual([])
      expect([...hosts]).toEqual([node.url])
      expect(
        await tab.locator('body').evaluate((body: { scrollWidth: number }) => body.scrollWidth),
      ).toBeLessThanOrEqual(width)
      await tab.close()
    }
  })

  test('W3 the demo key is shown to browsers on this machine, asked for by its own name, and to nobody else', async () => {
    const ask = (headers: Record<string, string>, path = '/demo', method = 'GET') =>
      curlStatus(`${node.url}${path}`, method, headers)
    expect(ask({})).toBe(200)
    expect(ask({ Host: 'rebound.example' })).toBe(404)
    for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via'])
      expect(ask({ [name]: '203.0.113.9' })).toBe(404)
    expect(ask({ Origin: 'https://elsewhere.example' }, '/demo/secret', 'POST')).toBe(404)
    expect(ask({ Origin: node.url }, '/demo/secret', 'POST')).toBe(200)
  })

  test('W3 where keys are an operator’s own, the page works and shows none', async () => {
    await using parley = await Parley.start()
    const tab = await open(parley.url)
    await tab.getByText('Set up by a policy file').waitFor()
    expect(await tab.locator('#voice').isVisible()).toBe(false)
    expect(await tab.content()).not.toContain(demo.key)
    expect((await fetch(`${parley.url}/demo`)).status).toBe(404)
    expect((await fetch(`${parley.url}/demo/secret`, { method: 'POST' })).status).toBe(404)
    await tab.close()
  })

  test('V1 the widget is small, kept by browsers, and open to pages of any site', async () => {
    let sum = 0
    for (const file of ['parley-voice.js', 'parley-voice-audio.js']) {
      const answer = await fetch(`${node.url}/widget/${file}`)
      expect(answer.headers.get('content-encoding')).toBe('gzip')
      expect(answer.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
      const etag = answer.headers.get('etag') ?? ''
      expect((await fetch(`${node.url}/widget/${file}`, { headers: { 'If-None-Match': etag } })).status).toBe(304)
      sum += gzipSync(await answer.bytes(), { level: 9 }).length
    }
    expect(sum).toBeLessThanOrEqual(LARGEST_WIDGET)
    const module = await fetch(`${node.url}/widget/parley-voice.mjs`)
    expect(gzipSync(await module.bytes(), { level: 9 }).length).toBeLessThanOrEqual(LARGEST_WIDGET)
  })
})

/** `fetch` sets no Host. */
function curlStatus(url: string, method: string, headers: Record<string, string>): number {
  const given = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const args = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '-X', method, ...given, url]
  return Number(spawnSync('curl', args, { encoding: 'utf8' }).stdout)
}

interface Axe {
  axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
}
