import { describe, expect, test } from 'vitest'
import { providerNamed, rulesOf } from '../../../src/media/picture/rule-table.ts'
import { tokensOf } from '../../../src/media/picture/tokens-of.ts'
import { instant } from '../../../src/units.ts'

const on = (day: string) => instant(Date.parse(`${day}T12:00:00Z`))
const NOW = on('2026-11-23')

function of(
  provider: string,
  model: string,
  width: number,
  height: number,
  at = NOW,
  detail: 'auto' | 'low' | 'high' = 'auto',
) {
  return tokensOf({ provider, model, detail }, width, height, at)
}

describe('which model counts how', () => {
  test.each([
    ['openai', 'gpt-4o', 1_024, 1_024, 765],
    ['openai', 'gpt-4o-2024-08-06', 1_024, 1_024, 765],
    ['openai', 'gpt-4o-mini', 1_024, 1_024, 25_501],
    ['openai', 'gpt-5', 1_024, 1_024, 630],
    ['openai', 'gpt-5.6-sol', 4_000, 3_000, 14_100],
    ['openai', 'gpt-6.1-sol', 1_024, 1_024, 1_229],
    ['anthropic', 'claude-sonnet-4-6', 4_000, 3_000, 1_564],
    ['anthropic', 'claude-haiku-4-5-20251001', 4_000, 3_000, 1_564],
    ['anthropic', 'claude-opus-4-8', 4_000, 3_000, 4_740],
    ['anthropic', 'claude-opus-5.5', 4_000, 3_000, 4_740],
    ['google', 'gemini-2.5-flash', 960, 540, 1_548],
    ['google', 'gemini-3.8-flash', 4_000, 3_000, 1_120],
  ])('Q4 %s %s: %i × %i is %i tokens', (provider, model, width, height, tokens) => {
    expect(of(provider, model, width, height)).toMatchObject({ tokens, known: true })
  })

  test('Q4 the table is kept by date: a model may be counted anew from a day on', () => {
    expect(of('openai', 'gpt-4.1-mini', 4_000, 3_000, on('2026-02-01')).rule).toBe('patch-1536-1.62')
    expect(of('openai', 'gpt-4.1-mini', 4_000, 3_000, on('2026-11-01')).rule).toBe('patch-6144-1.62')
  })

  test('Q4 detail chooses the rule, and what a model does not tell apart is counted as its default', () => {
    expect(of('openai', 'gpt-4o', 4_000, 3_000, NOW, 'low').tokens).toBe(85)
    expect(of('openai', 'gpt-5.6-sol', 4_000, 3_000, NOW, 'high').tokens).toBe(2_942)
    expect(of('anthropic', 'claude-opus-5.5', 4_000, 3_000, NOW, 'low').tokens).toBe(4_740)
  })

  test('Q4 who resells a model counts as its maker does', () => {
    expect(of('azure', 'gpt-4o', 1_024, 1_024).tokens).toBe(765)
    expect(of('loopback', 'gpt-4o', 1_024, 1_024).tokens).toBe(765)
    expect(of('router', 'anthropic/claude-opus-5.5', 4_000, 3_000).tokens).toBe(4_740)
  })

  test('Q4 an unknown model and realtime models are told as guesses, counted by all of their pixels', () => {
    expect(of('local', 'llava', 1_024, 1_024)).toMatchObject({ tokens: 1_229, known: false })
    expect(of('openai', 'gpt-realtime-2', 1_024, 1_024)).toMatchObject({ tokens: 1_229, known: false })
  })

  test('Q4 every model has a rule for auto', () => {
    expect(rulesOf('anthropic', 'claude-opus-5.5', NOW).byDetail.has('auto')).toBe(true)
    expect(providerNamed('nobody').formats).toEqual(['jpeg', 'png'])
  })
})
