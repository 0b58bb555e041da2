import { keyId, makeKey } from '../../src/auth/keys.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import type { PolicyPlaces } from '../fleet.ts'
import { PROVIDER_KEY } from '../premises.ts'

export const TRANSCRIBER = 'whisper-1'
export const SEER = 'gpt-4o'

/** Orders most of the jobs, all at once. */
export const CROWD = 'tenant_0'

/** Who takes part. */
export function mediaPremises(tenants: number) {
  const names = Array.from({ length: tenants }, (_, i) => `tenant_${i}`)
  return { tenants: new Map(names.map((name) => [name, makeKey('test', '')])), admin: makeKey('admin', '') }
}
export type MediaPremises = ReturnType<typeof mediaPremises>

/** The policy file of one process. `storage`: a folder that all share; `hooks`: port of whoever is told. */
export function mediaPolicy(
  { tenants, admin }: MediaPremises,
  at: PolicyPlaces & { readonly storage: string; readonly hooks: number },
): PolicyInput {
  return {
    listeners: [{ port: 0 }],
    dataDir: at.dataDir,
    redis: { url: at.redis },
    ledger: { sqlite: at.ledger },
    log: { level: 'info' },
    security: { adminKeyHash: admin.hash },
    drain: { deadline: '4s' },
    providers: { play: { type: 'openai', apiKey: PROVIDER_KEY, baseUrl: at.provider } },
    models: {
      [TRANSCRIBER]: { provider: 'play', kind: 'transcription' },
      [SEER]: { provider: 'play', kind: 'vision' },
    },
    outbound: { allowHttp: true, ports: [at.hooks], allowPrivate: ['127.0.0.0/8'] },
    media: {
      storage: { type: 'folder', path: at.storage },
      // Two worker processes share the two cores that such a run can count on.
      tools: { processes: 1 },
      queue: { jobs: 3, calls: 6 },
      calls: { timeout: '20s' },
    },
    plans: { default: { jobs: { running: 3, requestsPerMinute: null } } },
    tenants: Object.fromEntries(
      [...tenants].map(([name, { key, hash }]) => [name, { plan: 'default', keys: [{ id: keyId(key) ?? '', hash }] }]),
    ),
  }
}
