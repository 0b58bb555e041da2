import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ZodError } from 'zod'
import { hashKey, keyId, makeKey } from '../auth/keys.ts'
import type { Config } from './config.ts'
import { ConfigError, configFrom, type Env, readConfig } from './read-config.ts'
import { type PolicyInput, redisUrl } from './schema.ts'
import { tracesFrom } from './traces.ts'

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

/** The one place that reads the environment and the policy file. Throws an error that says what to change, and where. */
export function loadConfig(environment: Env = process.env): Loaded {
  // A variable that is set to nothing, as compose files do, is not set.
  const env: Env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const file = env.PARLEY_CONFIG ?? (existsSync('parley.yaml') ? 'parley.yaml' : null)
  if (file !== null) {
    const config = fromFile(file, env)
    makeFolder(config.dataDir)
    return { config, file, demo: null, path: env.PATH }
  }
  const dataDir = env.PARLEY_DATA_DIR ?? '.parley'
  makeFolder(dataDir)
  const demo = { key: keptKey(dataDir, 'demo-key', 'demo'), adminKey: keptKey(dataDir, 'admin-key', 'admin') }
  const config = withVariables(fromEnvironment(builtIn(env, dataDir, demo)), env)
  return { config, file: null, demo, path: env.PATH }
}

/** A file's own word about ffmpeg and traces stands before that of the environment. */
function withVariables(config: Config, env: Env): Config {
  const ffmpeg = config.media.tools.ffmpeg ?? env.FFMPEG_PATH
  const media = { ...config.media, tools: { ...config.media.tools, ffmpeg } }
  return { ...config, media, traces: tracesFrom(config.traces, env) }
}

function fromFile(file: string, env: Env): Config {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(`the policy file ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  try {
    const config = withVariables(readConfig(text, env, dirname(file)), env)
    return env.REDIS_URL === undefined ? config : { ...config, redisUrl: redisUrl.parse(env.REDIS_URL) }
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(error.problems, file)
    if (error instanceof ZodError) throw new ConfigError([problemOf('REDIS_URL', error)], ENVIRONMENT)
    throw error
  }
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
const TRANSCRIPTION_MODELS = [
  'gpt-transcribe',
  'gpt-live-transcribe',
  'gpt-realtime-whisper',
  'gpt-4o-transcribe',
  'gpt-4o-mini-transcribe',
  'gpt-4o-transcribe-diarize',
  'whisper-1',
]
const VISION_MODELS = [
  'gpt-6.1-sol',
  'gpt-6-luna',
  'gpt-5.4',
  'gpt-5.4-mini',
  'gpt-4.1',
  'gpt-4.1-mini',
  'gpt-4o',
  'gpt-4o-mini',
]

/** Small set-ups need no file: loopback always, OpenAI when there is a key for it. */
function builtIn(env: Env, dataDir: string, demo: { key: string; adminKey: string }): PolicyInput {
  const port = Number(env.PORT ?? 8080)
  const host = env.HOST ?? '127.0.0.1'
  const provider = env.OPENAI_API_KEY === undefined ? 'loopback' : 'openai'
  const models: PolicyInput['models'] = { loopback: { provider: 'loopback' } }
  for (const name of CONVERSATION_MODELS) models[name] = { provider }
  for (const name of TRANSCRIPTION_MODELS) models[name] = { provider, kind: 'transcription' }
  for (const name of VISION_MODELS) models[name] = { provider, kind: 'vision' }
  return {
    listeners: [
      { host, port },
      { host, port: port === 0 ? 0 : Number(env.TLS_PORT ?? securePort(port)), tls: 'self-signed' },
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

/** 8443 beside 8080, and as far from any other port, on the side where there is room. A port that is none gives 0: one complaint is enough. */
function securePort(port: number): number {
  if (Number.isNaN(port)) return 0
  return port + 363 <= 65_535 ? port + 363 : Math.min(65_535, port - 363)
}

const ENVIRONMENT = 'the environment'

/** The settings of the built-in set-up that come from the environment, and their names there. */
const VARIABLES: ReadonlyMap<string, string> = new Map([
  ['listeners[0].port', 'PORT'],
  ['listeners[1].port', 'TLS_PORT'],
  ['log.level', 'LOG_LEVEL'],
  ['redis.url', 'REDIS_URL'],
])

function fromEnvironment(input: PolicyInput): Config {
  try {
    return configFrom(input)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const problems = error.problems.map(({ path, message }) => ({ path: VARIABLES.get(path) ?? path, message }))
    throw new ConfigError(problems, ENVIRONMENT)
  }
}

const problemOf = (path: string, error: ZodError) => ({ path, message: error.issues[0]?.message ?? '' })

/** A data folder that cannot be had is told as that, before anything else stumbles over it. */
function makeFolder(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    accessSync(dataDir, constants.W_OK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(
      `the data folder '${dataDir}' cannot be used (${code}): set PARLEY_DATA_DIR, or dataDir in the policy file`,
    )
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
  writeFileSync(file, `${key}\n`, { mode: 0o600 })
  return key
}
