import { resolve } from 'node:path'
import type { Loaded } from './config/load-config.ts'
import type { Running } from './serve.ts'

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
    lines.push('', `  Models are served by ${served}.`, '', '  Try a spoken conversation:', '    npm run talk')
  } else lines.push('', `  Configured by ${loaded.file}.`)
  return `${lines.join('\n')}\n\n`
}
