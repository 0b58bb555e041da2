import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import type { ListenerConfig } from './config.ts'

/** What a TLS listener needs, PEM. `certFile` is what a client has to trust. */
export interface Certificate {
  cert: string
  key: string
  certFile: string
}

const LIFE_DAYS = 397
const RENEW_BEFORE_DAYS = 30

/** The certificate of a listener; null for a plain one. A self-signed one is made once and kept in the data folder. */
export async function certificateFor(
  listener: ListenerConfig,
  dataDir: string,
  now: Date,
): Promise<Certificate | null> {
  if (listener.tls === null) return null
  if (listener.tls !== 'self-signed') {
    const { certFile, keyFile } = listener.tls
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile }
  }
  const certFile = join(dataDir, 'self-signed.crt')
  const keyFile = join(dataDir, 'self-signed.key')
  if (existsSync(certFile) && existsSync(keyFile)) {
    const cert = readFileSync(certFile, 'utf8')
    const ends = new X509Certificate(cert).validToDate
    const isGood = ends.getTime() - now.getTime() > RENEW_BEFORE_DAYS * 86_400_000
    if (isGood) return { cert, key: readFileSync(keyFile, 'utf8'), certFile }
  }
  const pems = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
    notBeforeDate: now,
    notAfterDate: new Date(now.getTime() + LIFE_DAYS * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  writeFileSync(keyFile, pems.private, { mode: 0o600 })
  writeFileSync(certFile, pems.cert)
  return { cert: pems.cert, key: pems.private, certFile }
}
