import { isDeepStrictEqual } from 'node:util'
import type { SecretGrant } from './principal.ts'

/** What a plan allows a session to be. A caller can lower these, never raise them. */
export interface Ceilings {
  /** Tokens of one response; null for the provider's own limit. */
  maxOutputTokens: number | null
  tools: boolean
  /** Fields, as dotted paths of the session object, that no caller may change. */
  locked: readonly string[]
}

export type Verdict = { ok: true } | { ok: false; param: string; message: string }

type Loose = Record<string, unknown>

const FINE: Verdict = { ok: true }

/**
 * Fields that a client secret fixes at what they were when it was minted, unless its maker unlocked them (reference:
 * hardening, who may open a socket).
 */
export const LOCKED_BY_SECRET: readonly string[] = [
  'model',
  'instructions',
  'tools',
  'tool_choice',
  'prompt',
  'max_output_tokens',
  'audio.input.format',
  'audio.output.format',
  'tracing',
]

/**
 * What a session is where nobody said otherwise (reference: realtime protocol, session object). Some clients send these in
 * their first update whatever they were told; the instructions are left out, because some models have a text of their own.
 */
const UNSAID: Readonly<Record<string, unknown>> = {
  tools: [],
  tool_choice: 'auto',
  prompt: null,
  max_output_tokens: 'inf',
  'audio.input.format': { type: 'audio/pcm', rate: 24_000 },
  'audio.output.format': { type: 'audio/pcm', rate: 24_000 },
  tracing: null,
}

/** Judges the `session` of a `session.update`. Sending a locked field with its present value is no change, and fine. */
export function checkSessionUpdate(session: unknown, ceilings: Ceilings, grant: SecretGrant | null): Verdict {
  if (!isObject(session)) return FINE
  return checkLocked(session, 'session', ceilings.locked, grant) ?? checkCeilings(session, 'session', ceilings) ?? FINE
}

/** Judges the overrides of a `response.create`. */
export function checkResponseCreate(response: unknown, ceilings: Ceilings, grant: SecretGrant | null): Verdict {
  if (!isObject(response)) return FINE
  return (
    checkLocked(response, 'response', ceilings.locked, grant) ?? checkCeilings(response, 'response', ceilings) ?? FINE
  )
}

/**
 * The fields to send to the provider before the caller is let in: what the secret fixed, under the plan's ceilings. Null
 * when the provider's own defaults are allowed. `transcriber`: the provider's name for the transcription model asked for,
 * which a transcription session names in its session object and nowhere else.
 */
export function openingUpdate(
  kind: 'conversation' | 'transcription',
  ceilings: Ceilings,
  grant: SecretGrant | null,
  transcriber: string | null = null,
): Loose | null {
  const { model: _model, id: _id, object: _object, expires_at: _expires, ...granted } = grant?.session ?? {}
  const type = kind === 'transcription' ? 'transcription' : 'realtime'
  const update: Loose = { ...granted, type }
  if (transcriber !== null) update.audio = withTranscriber(granted.audio, transcriber)
  const most = ceilings.maxOutputTokens
  if (most !== null && kind === 'conversation') {
    const asked = granted.max_output_tokens
    update.max_output_tokens = typeof asked === 'number' && asked < most ? asked : most
  }
  return Object.keys(update).length > 1 ? update : null
}

function withTranscriber(audio: unknown, model: string): Loose {
  const given = isObject(audio) ? audio : {}
  const input = isObject(given.input) ? given.input : {}
  const transcription = isObject(input.transcription) ? input.transcription : {}
  return { ...given, input: { ...input, transcription: { ...transcription, model } } }
}

/** The model that a session object asks for; null when it leaves that open. */
export function grantedModel(session: Loose): string | null {
  const model = session.type === 'transcription' ? dig(session, 'audio.input.transcription.model') : session.model
  return typeof model === 'string' ? model : null
}

function checkLocked(given: Loose, at: string, plan: readonly string[], grant: SecretGrant | null): Verdict | null {
  const bySecret = grant === null ? [] : LOCKED_BY_SECRET.filter((path) => !grant.unlocked.includes(path))
  for (const path of new Set([...plan, ...bySecret])) {
    const value = dig(given, path)
    if (value === undefined) continue
    const present = dig(grant?.session ?? {}, path)
    if (isDeepStrictEqual(value, present === undefined ? UNSAID[path] : present)) continue
    return { ok: false, param: `${at}.${path}`, message: `'${at}.${path}' is locked and cannot be changed.` }
  }
  return null
}

function checkCeilings(given: Loose, at: string, ceilings: Ceilings): Verdict | null {
  const most = ceilings.maxOutputTokens
  const asked = given.max_output_tokens
  if (most !== null && asked !== undefined && !(typeof asked === 'number' && asked <= most)) {
    return {
      ok: false,
      param: `${at}.max_output_tokens`,
      message: `'${at}.max_output_tokens' may be at most ${most} here.`,
    }
  }
  if (!ceilings.tools && Array.isArray(given.tools) && given.tools.length > 0) {
    return { ok: false, param: `${at}.tools`, message: `'${at}.tools' is not allowed here.` }
  }
  return null
}

function dig(from: unknown, path: string): unknown {
  let value = from
  for (const key of path.split('.')) {
    if (!isObject(value)) return undefined
    value = value[key]
  }
  return value
}

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
