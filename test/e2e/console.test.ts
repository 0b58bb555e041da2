import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page as Tab } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { exactDollars } from '../../src/console/format.ts'
import type { UsagePage } from '../../src/console/usage.ts'
import { ms } from '../../src/units.ts'
import { Caller } from '../support/caller.ts'
import { openChromium } from '../support/chromium.ts'
import { eventually } from '../support/eventually.ts'
import { JobHand } from '../support/job-hand.ts'
import { newJob } from '../support/jobs.ts'
import { admin, demo, Parley } from '../support/parley.ts'
import { buildWidget } from '../support/widget-build.ts'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PAGES = ['overview', 'sessions', 'jobs', 'spend', 'nodes'] as const

describe('the console', () => {
  const stack = new AsyncDisposableStack()
  let parley: Parley
  let browser: Browser
  beforeAll(async () => {
    buildWidget()
    const plans = { default: { limits: { session: { budget: '$1' }, tenant: { perDay: '$100000' } } } }
    const objective = { perDay: '$100', steps: [{ at: 100, maxOutputTokens: 100 }] }
    parley = stack.use(await Parley.start({ ledger: true, policy: { plans, objective } as never }))
    browser = await openChromium()
    stack.defer(() => browser.close())
  })
  afterAll(() => stack.disposeAsync())

  /** A tab with the console open, signed in, and told everything once. */
  async function open(page = 'overview', options: Parameters<Browser['newPage']>[0] = {}): Promise<Tab> {
    const tab = await browser.newPage({ viewport: { width: 1_280, height: 900 }, ...options })
    await tab.goto(`${parley.url}/console#${page}`)
    await tab.getByLabel('Admin key').fill(admin.key)
    await tab.getByRole('button', { name: 'Open the console' }).click()
    await tab.locator('html[data-live]').waitFor()
    return tab
  }
  /** Nothing that axe complains of, and nothing wider than the screen. */
  async function flawless(tab: Tab, what: string): Promise<void> {
    await tab.evaluate(axe)
    const found = await tab.evaluate(async () => {
      const { violations } = await (globalThis as never as Axe).axe.run()
      return violations.map(({ id, nodes }) => `${id} ${nodes.map(({ html }) => html.slice(0, 120)).join(' ')}`)
    })
    const width = tab.viewportSize()?.width ?? 0
    const across = await tab.locator('body').evaluate((body: { scrollWidth: number }) => body.scrollWidth)
    expect({ found, isWide: across > width }, what).toEqual({ found: [], isWide: false })
  }
  const focused = (tab: Tab) =>
    tab.evaluate(() => {
      const { activeElement } = (globalThis as never as { document: { activeElement: Shown } }).document
      return activeElement.getAttribute('aria-label') ?? activeElement.textContent
    })
  async function reach(tab: Tab, name: string): Promise<void> {
    for (let i = 0; i < 60; i++) {
      if ((await focused(tab)) === name) return
      await tab.keyboard.press('Tab')
    }
    throw new Error(`${name} cannot be reached by keyboard`)
  }
  const visit = (tab: Tab, page: string) => tab.locator(`nav a[href="#${page}"]`).click()
  const introduced = async (caller: Caller) => String((await caller.next('parley.session')).session_id)
  const callIn = () => Caller.connect(parley.door('model=gpt-realtime&parley=1'), demo.key)

  test('V2 only the operator’s key opens it; it stays in the tab, and signing out forgets it', async () => {
    const tab = await browser.newPage()
    const urls: string[] = []
    tab.on('request', (request) => urls.push(request.url()))
    await tab.goto(`${parley.url}/console`)
    const field = tab.getByLabel('Admin key')
    for (const [key, why] of [
      ['nonsense', 'This key is not known here.'],
      [demo.key, 'This is a key, but not the operator’s'],
    ] as const) {
      await field.fill(key)
      await field.press('Enter')
      await tab.getByRole('alert').filter({ hasText: why }).waitFor()
    }
    await field.fill(admin.key)
    await field.press('Enter')
    await tab.getByRole('heading', { name: 'Overview' }).waitFor()
    await tab.reload()
    await tab.getByRole('heading', { name: 'Overview' }).waitFor()
    await tab.getByRole('button', { name: 'Sign out' }).click()
    await field.waitFor()
    await tab.reload()
    await field.waitFor()
    expect(urls.filter((url) => !url.startsWith(parley.url) || url.includes(admin.key))).toEqual([])
    await tab.close()
  })

  test('V2 sessions come, cost and go while somebody looks; one is ended after a question', async () => {
    const tab = await open('sessions')
    await tab.getByText('No session is running.').waitFor()
    using caller = await callIn()
    const id = await introduced(caller)
    const row = tab.getByRole('row', { name: id.slice(0, 8) })
    await row.getByText('acme').waitFor()
    await caller.ask('hello')
    await row.getByText(/\$0\.\d{3}/).waitFor()

    await tab.getByRole('button', { name: `Open session ${id.slice(0, 8)}` }).click()
    const sheet = tab.getByRole('dialog', { name: `Session ${id.slice(0, 8)}` })
    await sheet.getByText('Answer done').waitFor()
    await sheet.getByText(/of \$1\.00 in all/).waitFor()
    await sheet.getByRole('button', { name: 'End session' }).click()
    const question = tab.getByRole('dialog', { name: /End session .*\?/ })
    await question.getByRole('button', { name: 'Cancel' }).click()
    expect(caller.closure).toBeNull()
    await sheet.getByRole('button', { name: 'End session' }).click()
    await question.getByRole('button', { name: 'End session' }).click()
    expect((await caller.closed()).code).toBe(4015)
    await sheet.getByText('Ended: ended by operator').waitFor()
    await sheet.getByRole('button', { name: 'Close' }).click()
    await tab.getByText('No session is running.').waitFor()
    await tab
      .getByRole('row', { name: id.slice(0, 8) })
      .getByText('ended by operator')
      .waitFor()
    await tab.close()
  })

  test('V2 its charts and sums are those of GET /v1/usage', async () => {
    using caller = await callIn()
    await caller.ask('what does this cost?')
    const headers = { Authorization: `Bearer ${admin.key}` }
    const usage = async (query: string) =>
      (await (await fetch(`${parley.url}/v1/usage?${query}`, { headers })).json()) as UsagePage
    const spent = Number((await caller.next('parley.usage')).session_cost_nano_usd)
    await eventually(async () => {
      expect((await usage('group_by=')).data[0]?.cost.nano).toBeGreaterThanOrEqual(spent)
    }, 10_000)
    const all = (await usage('group_by=')).data[0]
    const today = (await usage('group_by=day')).data.at(-1)
    const tab = await open('spend')
    const tile = tab.locator('.tile', { hasText: /^Cost/ })
    await tile
      .getByText(exactDollars(all?.cost.nano ?? 0), { exact: true })
      .first()
      .waitFor()
    const chart = tab.getByRole('figure', { name: 'Cost by day' })
    await chart.getByText('As a table').click()
    const day = chart.getByRole('row', { name: today?.day ?? '' })
    expect(await day.getByRole('cell').allTextContents()).toEqual([exactDollars(today?.cost.nano ?? 0)])
    expect(await chart.getByRole('img').getAttribute('aria-label')).toContain(exactDollars(all?.cost.nano ?? 0))
    await tab.getByLabel('Group').selectOption('tenant')
    const tenant = tab.getByRole('row', { name: /^acme/ })
    await tenant.getByText(exactDollars(all?.cost.nano ?? 0), { exact: true }).waitFor()
    await tab.close()
  })

  test('V2 it can be used by everybody, in light and dark and on a phone, and takes nothing from elsewhere', async () => {
    using caller = await callIn()
    await caller.ask('hello')
    const policy = (await fetch(`${parley.url}/console`)).headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("require-trusted-types-for 'script'")
    const hand = new JobHand(parley.store)
    await hand.jobs.create(newJob('acme', systemClock.now()), null, ms(1))
    for (const [width, colorScheme] of [
      [1_280, 'light'],
      [1_280, 'dark'],
      [360, 'light'],
      [360, 'dark'],
    ] as const) {
      const complaints: string[] = []
      const hosts = new Set<string>()
      const tab = await open('overview', { viewport: { width, height: 800 }, colorScheme })
      tab.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
      tab.on('request', (request) => hosts.add(new URL(request.url()).origin))
      const look = (name: string) => flawless(tab, `${name} ${width} ${colorScheme}`)
      for (const page of PAGES) {
        await visit(tab, page)
        await tab.locator('main h1').waitFor()
        if (page === 'sessions')
          await tab
            .getByRole('button', { name: /^Open session/ })
            .first()
            .waitFor()
        if (page === 'jobs')
          await tab
            .getByRole('button', { name: /^Open job/ })
            .first()
            .waitFor()
        if (page === 'spend') {
          await tab.locator('canvas').first().waitFor()
          for (const table of await tab.locator('summary:visible', { hasText: 'As a table' }).all()) await table.click()
        }
        await look(page)
      }
      await visit(tab, 'sessions')
      await tab
        .getByRole('button', { name: /^Open session/ })
        .first()
        .click()
      await tab.getByText('Answer done').first().waitFor()
      await look('a session')
      await tab.getByRole('dialog').getByRole('button', { name: 'End session' }).click()
      await tab.getByRole('dialog', { name: /\?$/ }).waitFor()
      await look('the question')
      await tab.keyboard.press('Escape')
      await tab.keyboard.press('Escape')
      await visit(tab, 'jobs')
      await tab
        .getByRole('button', { name: /^Open job/ })
        .first()
        .click()
      await tab.getByRole('dialog').getByText('Asked for').first().waitFor()
      await look('a job')
      await tab.getByRole('dialog').getByRole('button', { name: 'Close' }).click()
      await tab.getByRole('button', { name: 'Sign out' }).click()
      await tab.getByLabel('Admin key').waitFor()
      await look('the sign-in')
      expect(complaints).toEqual([])
      expect([...hosts]).toEqual([parley.url])
      await tab.close()
    }
  })

  test('V2 all of it works by keyboard, and what destroys is never one keystroke away', async () => {
    using caller = await callIn()
    const id = (await introduced(caller)).slice(0, 8)
    const tab = await open()
    const tabTo = (name: string) => reach(tab, name)
    await tab.locator('.brand').focus()
    await tabTo('Sessions')
    await tab.keyboard.press('Enter')
    await tab.getByRole('button', { name: `Open session ${id}` }).waitFor()
    await tabTo('Cost')
    await tab.keyboard.press('Enter')
    expect(await tab.getByRole('columnheader', { name: 'Cost' }).first().getAttribute('aria-sort')).toBe('ascending')
    await tabTo(`Open session ${id}`)
    await tab.keyboard.press('Enter')
    await tab.getByRole('dialog').getByText('Began').waitFor()
    await tab.keyboard.press('Escape')
    await tab.getByRole('dialog').waitFor({ state: 'detached' })
    // Focus goes back to where it came from.
    expect(await focused(tab)).toBe(`Open session ${id}`)
    await tabTo(`End session ${id}`)
    await tab.keyboard.press('Enter')
    await tab.getByRole('dialog', { name: `End session ${id}?` }).waitFor()
    expect(await focused(tab)).toBe('Cancel')
    await tab.keyboard.press('Enter')
    expect(caller.closure).toBeNull()
    await tabTo(`End session ${id}`)
    await tab.keyboard.press('Enter')
    await tab.keyboard.press('Tab')
    await tab.keyboard.press('Enter')
    expect((await caller.closed()).code).toBe(4015)
    await tab.close()
  })

  test('V2 jobs and spend are looked through by keyboard', async () => {
    const hand = new JobHand(parley.store)
    const job = newJob('zenith', systemClock.now())
    await hand.jobs.create(job, null, ms(1))
    const tab = await open()
    await tab.locator('.brand').focus()
    await reach(tab, 'Jobs')
    await tab.keyboard.press('Enter')
    await tab.locator('main h1', { hasText: 'Jobs' }).waitFor()
    const rows = tab.getByRole('button', { name: /^Open job/ })
    await rows.first().waitFor()
    await reach(tab, 'Tenant')
    await tab.keyboard.type('zenith')
    await tab.keyboard.press('Enter')
    await eventually(async () => expect(await rows.count()).toBe(1), 10_000)
    const name = (await rows.first().getAttribute('aria-label')) ?? ''
    await reach(tab, name)
    await tab.keyboard.press('Enter')
    await tab.getByRole('dialog').getByText('Asked for').first().waitFor()
    await tab.keyboard.press('Escape')
    await tab.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await focused(tab)).toBe(name)
    await tab.locator('.brand').focus()
    await reach(tab, 'Type')
    await tab.keyboard.type('image.describe')
    await tab.getByText('No job is to be seen here.').waitFor()
    await tab.locator('.tiles button', { hasText: 'failed' }).focus()
    await tab.keyboard.press('Space')
    expect(await tab.locator('.tiles button', { hasText: 'failed' }).getAttribute('aria-pressed')).toBe('true')

    await tab.locator('.brand').focus()
    await reach(tab, 'Spend')
    await tab.keyboard.press('Enter')
    await tab.locator('canvas').first().waitFor()
    await reach(tab, 'Group')
    await tab.keyboard.press('ArrowDown')
    await tab.getByRole('heading', { name: 'Tenants' }).waitFor()
    await reach(tab, 'Download these days as CSV')
    const download = tab.waitForEvent('download')
    await tab.keyboard.press('Enter')
    expect((await download).suggestedFilename()).toMatch(/\.csv$/)
    await reach(tab, 'As a table')
    await tab.keyboard.press('Enter')
    await tab.getByRole('figure', { name: 'Cost by day' }).getByRole('table').waitFor()
    await tab.close()
  })
})

interface Axe {
  axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
}
interface Shown {
  getAttribute(name: string): string | null
  textContent: string
}
