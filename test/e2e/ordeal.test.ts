import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../ordeal/main.ts', import.meta.url))

async function ordeal(...args: string[]): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code] = await once(child, 'close')
  return { code, output }
}

test('Q1 Q3 Q7 jobs while doors, workers and Redis die: each ends once, is bought once and told once, and nothing is left', async () => {
  const { code, output } = await ordeal('--media', '--quick', '--seed', '11')
  expect(output.slice(output.indexOf('paid calls'))).not.toContain('BROKEN')
  expect(code, output).toBe(0)
}, 240_000)

test('M3 L4 L5 two hundred sessions among dying brokers and a dying Redis: the books are the provider’s own', async () => {
  const { code, output } = await ordeal('--quick', '--seed', '11')
  const verdict = output.slice(output.indexOf('sessions let in'))
  expect(verdict).not.toContain('BROKEN')
  expect(code, output).toBe(0)
}, 180_000)
