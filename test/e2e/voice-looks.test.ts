import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Browser, Page as Tab } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openChromium } from '../support/chromium.ts'
import { PageServer } from '../support/page-server.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** The page's own, for what runs inside it. */
declare const gallery: { names: string[]; show(name: string): void }
declare const page: { isWide(): boolean; root(): { setAttribute(name: string, value: string): void } }

describe('every state of the widget', () => {
  const stack = new AsyncDisposableStack()
  let browser: Browser
  let tab: Tab
  let names: string[]
  beforeAll(async () => {
    const entry = fileURLToPath(new URL('./pages/voice/gallery.ts', import.meta.url))
    const pages = stack.use(await PageServer.start(entry, {}, '<main><h1>Widget</h1></main>'))
    browser = await openChromium()
    stack.defer(() => browser.close())
    tab = await browser.newPage({ viewport: { width: 480, height: 900 } })
    await tab.goto(pages.at('localhost'))
    await tab.waitForFunction(() => 'gallery' in globalThis)
    await tab.evaluate(axe)
    names = await tab.evaluate(() => gallery.names)
  })
  afterAll(() => stack.disposeAsync())

  test.each([
    ['light', 'ltr', 480],
    ['dark', 'ltr', 480],
    ['light', 'rtl', 320],
  ] as const)('V1 can be used by everybody: %s, %s, %i pixels', async (colorScheme, direction, width) => {
    await tab.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await tab.setViewportSize({ width, height: 900 })
    expect(names.length).toBeGreaterThan(45)
    for (const name of names) {
      const found = await tab.evaluate(
        async ([shown, dir]) => {
          page.root().setAttribute('dir', dir)
          gallery.show(shown)
          const { violations } = await (globalThis as never as Axe).axe.run()
          return { isWide: page.isWide(), violations: violations.map(({ id, nodes }) => `${id} ${nodes[0]?.html}`) }
        },
        [name, direction] as const,
      )
      expect(found, name).toEqual({ isWide: false, violations: [] })
    }
  })
})

interface Axe {
  axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
}
