import { describe, expect, test } from 'vitest'
import type { SecretGrant } from '../../src/auth/principal.ts'
import { type Ceilings, checkResponseCreate, checkSessionUpdate, openingUpdate } from '../../src/auth/session-fields.ts'
import { NO_SECRET_LIMITS } from '../../src/limits/accounts.ts'
import { instant } from '../../src/units.ts'

const open: Ceilings = { maxOutputTokens: null, tools: true, locked: [] }
const tight: Ceilings = { maxOutputTokens: 500, tools: false, locked: ['instructions'] }
const grant = (session: Record<string, unknown>, unlocked: string[] = []): SecretGrant => ({
  user: null,
  session,
  unlocked,
  origins: [],
  limits: NO_SECRET_LIMITS,
  expiresAt: instant(0),
})

describe('what a caller may change of its session', () => {
  test('W6 a plan without ceilings allows everything to a key', () => {
    expect(checkSessionUpdate({ instructions: 'x', tools: [{}], max_output_tokens: 'inf' }, open, null).ok).toBe(true)
  })

  test.each([
    [{ max_output_tokens: 501 }, 'session.max_output_tokens'],
    [{ max_output_tokens: 'inf' }, 'session.max_output_tokens'],
    [{ tools: [{ type: 'function' }] }, 'session.tools'],
    [{ instructions: 'be rude' }, 'session.instructions'],
  ])('W6 %j is refused by name', (session, param) => {
    expect(checkSessionUpdate(session, tight, null)).toMatchObject({ ok: false, param })
  })

  test('W6 the same fields of a response.create are refused too', () => {
    expect(checkResponseCreate({ max_output_tokens: 'inf' }, tight, null)).toMatchObject({
      ok: false,
      param: 'response.max_output_tokens',
    })
    expect(checkResponseCreate(undefined, tight, null).ok).toBe(true)
  })

  test('W3 a secret fixes what it was minted with; the same value is no change', () => {
    const minted = grant({ instructions: 'Sell shoes.', audio: { output: { voice: 'marin' } } })
    expect(checkSessionUpdate({ instructions: 'Sell shoes.' }, open, minted).ok).toBe(true)
    expect(checkSessionUpdate({ instructions: 'Sell cars.' }, open, minted)).toMatchObject({
      ok: false,
      param: 'session.instructions',
    })
    expect(checkSessionUpdate({ tools: [{ name: 'x' }] }, open, minted).ok).toBe(false)
    expect(checkSessionUpdate({ audio: { output: { voice: 'cedar' } } }, open, minted).ok).toBe(true)
    expect(checkSessionUpdate({ instructions: 'Sell cars.' }, open, grant({}, ['instructions'])).ok).toBe(true)
  })

  test('W3 what a session is anyway is no change of a field that a secret left alone', () => {
    const bare = grant({ model: 'gpt-realtime' })
    const format = { type: 'audio/pcm', rate: 24_000 }
    const sent = { model: 'gpt-realtime', tools: [], tool_choice: 'auto', tracing: null, audio: { input: { format } } }
    expect(checkSessionUpdate(sent, open, bare).ok).toBe(true)
    expect(checkSessionUpdate({ tracing: 'auto' }, open, bare)).toMatchObject({ ok: false, param: 'session.tracing' })
    // Nor may a secret's own value be put back to the usual one.
    expect(checkSessionUpdate({ tools: [] }, open, grant({ tools: [{ name: 'x' }] })).ok).toBe(false)
    expect(checkSessionUpdate({ max_output_tokens: 'inf' }, tight, bare).ok).toBe(false)
  })

  test('W6 the provider is told of secret and ceiling before the caller is let in', () => {
    expect(openingUpdate('conversation', open, null)).toBeNull()
    expect(
      openingUpdate('conversation', tight, grant({ instructions: 'Hi', model: 'm', max_output_tokens: 900 })),
    ).toEqual({
      type: 'realtime',
      instructions: 'Hi',
      max_output_tokens: 500,
    })
  })
})
