import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config/read-config.ts'
import { FAULTS, type Fault, type FaultCode, publicCode } from '../../src/faults.ts'
import { ParleyClientEvent, ParleyServerEvent } from '../../src/wire/parley-events.ts'
import { openChromium } from '../support/chromium.ts'
import { TempFolder } from '../support/temp-folder.ts'
import { buildWidget } from '../support/widget-build.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** A fenced block whose first line says `ci`, and maybe a name: a file to write, or what the block shows. */
interface Block {
  language: string
  name: string
  text: string
}
const blocks: Block[] = [...readme.matchAll(/^```(\w+) ci ?(\S*)\n(.*?)^```$/gms)].map(([, language, name, text]) => ({
  language: language ?? '',
  name: name ?? '',
  text: text ?? '',
}))
const named = (name: string): string => blocks.find((block) => block.name === name)?.text ?? ''

/** Commands, each with what it is said to print. */
const commands = blocks.flatMap(({ language, text }, i) => {
  const next = blocks[i + 1]
  return language === 'sh' ? [{ text, shown: next?.language === 'text' && next.name === '' ? next.text : '' }] : []
})
/** `KEY=$(cat …)`: typed once, good in the commands below it. */
const variables = commands.flatMap(({ text }) => text.match(/^[A-Z]+=\$\(.*\)$/gm) ?? []).join('\n')

/** What is shown of each line must be in the output, in order; `…` stands for anything. */
function expectShown(output: string, shown: string): void {
  let at = 0
  for (const line of shown.split('\n').filter((each) => each.trim() !== '')) {
    const said = line.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
    const form = new RegExp(said.replaceAll('…', '.*?'))
    const found = form.exec(output.slice(at))
    expect(found, `${line}\nis not in\n${output.slice(at)}`).not.toBeNull()
    at += (found?.index ?? 0) + (found?.[0].length ?? 0)
  }
}

async function freePorts<N extends number>(count: N): Promise<number[] & { length: N }> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports as number[] & { length: N }
}

describe('what the README shows, typed into a folder of its own', () => {
  const stack = new AsyncDisposableStack()
  let folder: string
  let welcome = ''
  let here: (text: string) => string
  const env = { HOME: '/nonexistent', PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) }

  /** Starts a program in the folder; resolves once it has written `sign`, with what it has written by then. */
  async function begin(args: string[], sign: string, more: Record<string, string> = {}): Promise<string> {
    const child = spawn(process.execPath, args, {
      cwd: folder,
      env: { ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const exited = once(child, 'exit')
    stack.defer(async () => {
      child.kill('SIGTERM')
      await exited
    })
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let output = ''
    const read = (chunk: Buffer) => {
      output += chunk.toString('utf8')
      if (output.includes(sign)) resolve(output)
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void exited.then(() => reject(new Error(`ended at once: ${output}`)))
    return promise
  }

  /** Runs a program in the folder to its end, which must be a good one. */
  function run(command: string, args: string[]): string {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: 'utf8', timeout: 30_000 })
    expect(status, `${args.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
    return stdout
  }

  beforeAll(async () => {
    buildWidget()
    folder = stack.use(new TempFolder()).path
    for (const shared of ['node_modules', 'fixtures']) symlinkSync(join(root, shared), join(folder, shared))
    const [plain = 0, secure = 0, page = 0] = await freePorts(3)
    here = (text) =>
      text
        .replaceAll('127.0.0.1:8080', `127.0.0.1:${plain}`)
        .replaceAll(/(localhost|127\.0\.0\.1):8443/g, `$1:${secure}`)
        .replaceAll(/\b3000\b/g, String(page))
    const ports = { PORT: String(plain), TLS_PORT: String(secure) }
    welcome = await begin([join(root, 'src', 'main.ts')], 'npm run talk', ports)
    for (const { language, name, text } of blocks) {
      if (['js', 'html', 'python'].includes(language)) writeFileSync(join(folder, name), here(text))
    }
  })
  afterAll(() => stack.disposeAsync())

  test('R1 starting it prints what is said', () => {
    expectShown(welcome, here(named('start')))
  })

  test('R1 the command it prints holds a conversation', () => {
    const args = / -- (.*)/.exec(welcome)?.[1]?.split(' ') ?? []
    expectShown(run(process.execPath, [join(root, 'src', 'talk', 'main.ts'), ...args]), named('talk'))
  })

  const titleOf = (text: string) => /^(?![A-Z]+=\$\().*$/m.exec(text)?.[0].replace(/ -H .*/, '')
  test.each(commands.map(({ text, shown }) => ({ title: titleOf(text), text, shown })))(
    'R1 $title',
    ({ text, shown }) => {
      const output = run('sh', ['-ec', here(`${variables}\n${text}`)])
      expect(shown).not.toBe('')
      expectShown(output, shown)
    },
  )

  test('W3 the pages talk through a secret of their backend', async () => {
    const address = await begin(['backend.mjs'], 'http://localhost')
    await using browser = await openChromium()
    const tab = await browser.newPage()
    await tab.goto(address.trim())
    await tab.locator('#log', { hasText: 'loopback provider' }).waitFor()
    expect(await tab.textContent('#log')).toBe(
      'You sell shoes.\nThis is the loopback provider. It read 13 characters.\n',
    )
    await tab.goto(`${address.trim()}/widget`)
    const lines = tab.waitForEvent('console', (message) => message.text().startsWith('assistant'))
    await tab.getByRole('button', { name: 'Write instead' }).click()
    await tab.getByRole('textbox').fill('Good morning!')
    await tab.getByRole('button', { name: 'Send' }).click()
    expect((await lines).text()).toBe('assistant: This is the loopback provider. It read 13 characters.')
  })

  test('R1 the Python is Python', () => {
    run('python3', ['-m', 'py_compile', 'hello.py', 'media.py'])
  })

  test('V3 every metric and every route is named', async () => {
    const at = here('http://127.0.0.1:8080')
    const metrics = await (await fetch(`${at}/metrics`)).text()
    const { paths } = (await (await fetch(`${at}/openapi.json`)).json()) as { paths: Record<string, unknown> }
    const names = [...metrics.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1] as string)
    expect(names.length).toBeGreaterThan(5)
    for (const name of [...names, ...Object.keys(paths)]) expect(readme).toContain(name.replace('/openai/', '/'))
  })
})

describe('what the README says', () => {
  test('R4 every policy file in it is a good one', () => {
    const files = blocks.filter(({ language }) => language === 'yaml')
    expect(files.length).toBeGreaterThan(2)
    const secrets = { OPENAI_API_KEY: 'sk-1', AZURE_API_KEY: 'k', WEBHOOK_SECRET: `whsec_${btoa('x'.repeat(24))}` }
    for (const { text } of files) readConfig(text, secrets)
  })

  test('W5 the events of Parley in the exchange are of the forms that are sent', () => {
    const lines = [...named('exchange').matchAll(/^([←→]) (\{"type":"parley.*\})/gm)]
    expect(lines.length).toBeGreaterThan(2)
    for (const [, direction, json] of lines) {
      const schema = direction === '←' ? ParleyServerEvent : ParleyClientEvent
      expect(schema.safeParse(JSON.parse(json ?? '')).success, json).toBe(true)
    }
  })

  test('W4 the close codes are those of the table of faults', () => {
    const rows = new Map([...readme.matchAll(/^\| (\d{4}) +\| (.*?) +\|/gm)].map((row) => [Number(row[1]), row[2]]))
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      if (NEVER_AT_THE_DOOR.has(code)) continue
      const { close } = FAULTS[code] as Fault
      if (close !== 1009) expect(rows.get(close), code).toContain(`\`${publicCode(code)}\``)
    }
    const codes = new Set<number>(Object.values(FAULTS).map(({ close }) => close))
    for (const code of rows.keys()) if (code >= 4000) expect(codes, String(code)).toContain(code)
  })

  test('R1 every npm script it names exists', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
    const wanted = [...readme.matchAll(/npm run (\w+)/g)].map((match) => match[1])
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(wanted))
  })
})

/** Told by HTTP, or to nobody yet. */
const NEVER_AT_THE_DOOR: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'origin_not_allowed',
  'not_found',
  'already_exists',
  'in_use',
  'named_in_policy_file',
  'url_not_allowed',
  'fetch_failed',
  'fetch_too_large',
  'idempotency_conflict',
  'idempotency_mismatch',
  'wrong_state',
  'length_required',
  'payload_too_large',
  'unsupported_media',
  'media_corrupt',
  'media_too_long',
  'media_too_heavy',
  'media_refused',
  'pixel_limit',
  'max_cost_reached',
  'storage_full',
  'storage_unavailable',
  'queue_full',
  'too_many_jobs',
  'method_not_allowed',
  'range_not_satisfiable',
  'upload_expired',
  'unsupported_version',
  'offset_mismatch',
  'checksum_mismatch',
  'not_supported',
  'deadline_passed',
])
