import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { hashKey, keyId, makeKey } from '../auth/keys.ts'
import type { Config } from './config.ts'
import { configFrom, type Env, readConfig } from './read-config.ts'
import type { PolicyInput } from './schema.ts'

/** A configuration and what the operator should be shown once about it. */
export interface Loaded {
  config: Config
  /** The file it came from; null for the built-in set-up. */
  file: string | null
  /** Keys of the built-in set-up, ready to use; null when a file names its own. */
  demo: { key: string; adminKey: string } | null
  /** Where programs are looked for. */
  path: string | undefined
}

/** The one place that reads the environment and the policy file. Throws ConfigError. */
export function loadConfig(environment: Env = process.env): Loaded {
  // A variable that is set to nothing, as compose files do, is not set.
  const env: Env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const file = env.PARLEY_CONFIG ?? (existsSync('parley.yaml') ? 'parley.yaml' : null)
  if (file !== null) {
    const config = readConfig(readFileSync(file, 'utf8'), env, dirname(file))
    return {
      config: env.REDIS_URL === undefined ? config : { ...config, redisUrl: env.REDIS_URL },
      file,
      demo: null,
      path: env.PATH,
    }
  }
  const dataDir = env.PARLEY_DATA_DIR ?? '.parley'
  const demo = { key: keptKey(dataDir, 'demo-key', 'demo'), adminKey: keptKey(dataDir, 'admin-key', 'admin') }
  return { config: configFrom(builtIn(env, dataDir, demo)), file: null, demo, path: env.PATH }
}

/** Names that OpenAI's clients ask for, so that one with its default model works in the demo. As of November 2026. */
const CONVERSATION_MODELS = [
  'gpt-realtime-2.1',
  'gpt-realtime-2.1-mini',
  'gpt-realtime-2',
  'gpt-realtime-1.5',
  'gpt-realtime',
  'gpt-realtime-mini',
]
const TRANSCRIPTION_MODELS = ['gpt-transcribe', 'gpt-live-transcribe', 'gpt-realtime-whisper']

/** Small set-ups need no file: loopback always, OpenAI when there is a key for it. */
function builtIn(env: Env, dataDir: string, demo: { key: string; adminKey: string }): PolicyInput {
  const port = Number(env.PORT ?? 8080)
  const host = env.HOST ?? '127.0.0.1'
  const provider = env.OPENAI_API_KEY === undefined ? 'loopback' : 'openai'
  const models: PolicyInput['models'] = { loopback: { provider: 'loopback' } }
  for (const name of CONVERSATION_MODELS) models[name] = { provider }
  for (const name of TRANSCRIPTION_MODELS) models[name] = { provider, kind: 'transcription' }
  return {
    listeners: [
      { host, port },
      { host, port: port === 0 ? 0 : Number(env.TLS_PORT ?? port + 363), tls: 'self-signed' },
    ],
    dataDir,
    redis: { url: env.REDIS_URL, serverBin: env.REDIS_SERVER_BIN },
    log: { level: (env.LOG_LEVEL ?? 'info') as 'info' },
    security: { adminKeyHash: hashKey(demo.adminKey, '') },
    door: { origins: ['*'] },
    providers: {
      loopback: { type: 'loopback' },
      ...(env.OPENAI_API_KEY === undefined ? {} : { openai: { type: 'openai' as const, apiKey: env.OPENAI_API_KEY } }),
    },
    models,
    plans: { default: {} },
    tenants: { demo: { keys: [{ id: keyId(demo.key) ?? '', hash: hashKey(demo.key, '') }] } },
  }
}

/** A key made at the first start and kept in the data folder, readable by its owner only. */
function keptKey(dataDir: string, name: string, environment: string): string {
  const file = join(dataDir, name)
  if (existsSync(file)) {
    const kept = readFileSync(file, 'utf8').trim()
    if (keyId(kept) !== null) return kept
  }
  const { key } = makeKey(environment, '')
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  writeFileSync(file, `${key}\n`, { mode: 0o600 })
  return key
}
