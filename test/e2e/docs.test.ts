import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openChromium } from '../support/chromium.ts'
import { Parley } from '../support/parley.ts'
import { buildWidget } from '../support/widget-build.ts'

describe('the page about the API', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let browser: Browser
  beforeAll(async () => {
    buildWidget()
    parley = stack.use(await Parley.start())
    browser = await openChromium()
    stack.defer(() => browser.close())
  })
  afterAll(() => stack.disposeAsync())

  test('V3 every operation of the document is on it, and nothing is loaded from elsewhere', async () => {
    const tab = await browser.newPage({ viewport: { width: 1_280, height: 900 } })
    const asked: string[] = []
    const complaints: string[] = []
    tab.on('request', (request) => asked.push(request.url()))
    tab.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await tab.goto(`${parley.url}/docs`)
    await tab.locator('.opblock').first().waitFor()
    const document = (await (await fetch(`${parley.url}/openapi.json`)).json()) as Record<
      'paths' | 'webhooks',
      Record<string, object>
    >
    const operations = [...Object.values(document.paths), ...Object.values(document.webhooks)].flatMap(Object.keys)
    expect(await tab.locator('.opblock').count()).toBe(operations.length)
    await tab.locator('.opblock', { hasText: '/v1/jobs/{id}/events' }).first().click()
    await tab.getByText('Responses', { exact: true }).first().waitFor()
    expect(asked.filter((url) => !url.startsWith(parley.url) && !url.startsWith('data:'))).toEqual([])
    expect(complaints).toEqual([])
    await tab.close()
  })
})
