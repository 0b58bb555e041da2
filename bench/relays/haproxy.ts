import { spawn } from 'node:child_process'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { freePort, type RelayKind, RelayProcess } from './relay.ts'

/** One thread, as the others have: HTTP up to the upgrade, then bytes both ways. */
function settings(port: number, upstreamPort: number): string {
  return `
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
listen relay
  bind 127.0.0.1:${port} backlog 4096
  server upstream 127.0.0.1:${upstreamPort}
`
}

/** HAProxy: what a byte forwarder in C costs, and all it knows is bytes. */
export const haproxy: RelayKind = {
  name: 'haproxy',
  missing: () => (program() === null ? 'haproxy is not installed. Type:\n    sudo apt-get install -y haproxy' : null),
  async start({ upstreamPort, folder }) {
    const port = await freePort()
    const file = join(folder, 'haproxy.cfg')
    writeFileSync(file, settings(port, upstreamPort))
    const child = spawn(program() ?? 'haproxy', ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'inherit'] })
    return new RelayProcess(
      'haproxy',
      { port, path: '/v1/realtime?model=gpt-realtime', headers: {} },
      child,
    ).listening()
  },
}

/** Debian puts it where only root looks. */
function program(): string | null {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(folder, 'haproxy')
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {}
  }
  return null
}
