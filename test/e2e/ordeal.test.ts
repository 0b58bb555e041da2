import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../ordeal/main.ts', import.meta.url))

test('M3 L4 L5 two hundred sessions among dying brokers and a dying Redis: the books are the provider’s own', async () => {
  const child = spawn(process.execPath, [MAIN, '--quick', '--seed', '11'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code] = await once(child, 'close')
  const verdict = output.slice(output.indexOf('sessions let in'))
  expect(verdict).not.toContain('BROKEN')
  expect(code, output).toBe(0)
}, 180_000)
