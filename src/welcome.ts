import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Loaded } from './config/load-config.ts'
import type { Running } from './serve.ts'
import { TALKS_TO } from './talk/defaults.ts'

/** What is printed once everything runs: where, with which key, and what to try next. */
export function welcome(loaded: Loaded, running: Running): string {
  const lines = ['', 'Parley is running.', '']
  for (const url of running.urls) lines.push(`  ${url}/v1/realtime`)
  if (running.certFile !== null) {
    lines.push('', `  Clients that insist on TLS trust the self-signed certificate with`)
    lines.push(`    NODE_EXTRA_CA_CERTS=${resolve(running.certFile)}`)
  }
  if (loaded.demo !== null) {
    lines.push('', `  Demo key    ${loaded.demo.key}`, `  Admin key   ${loaded.demo.adminKey}`)
    const served = loaded.config.providers.has('openai')
      ? "OpenAI's models"
      : 'the loopback provider (no account needed)'
    lines.push(
      '',
      `  Models are served by ${served}.`,
      '',
      '  Try a spoken conversation:',
      `    ${talk(loaded.demo.key, running)}`,
      '  or in a browser:',
      `    ${running.urls[0] ?? ''}/`,
      '  What runs, what it costs and what was saved, with the admin key:',
      `    ${running.urls[0] ?? ''}/console`,
    )
  } else lines.push('', `  Configured by ${loaded.file}.`)
  return `${lines.join('\n')}\n\n`
}

/** The command as it has to be typed: nothing but its name where Parley is where it looks by itself. */
function talk(key: string, { urls: [url = ''] }: Running): string {
  const isWhereExpected =
    url === TALKS_TO.url && existsSync(TALKS_TO.keyFile) && readFileSync(TALKS_TO.keyFile, 'utf8').trim() === key
  return isWhereExpected ? 'npm run talk' : `npm run talk -- --url ${url} --key ${key}`
}
