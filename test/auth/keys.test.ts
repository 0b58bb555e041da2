import { describe, expect, test } from 'vitest'
import { hashKey, keyId, makeKey, matches } from '../../src/auth/keys.ts'

describe('API keys', () => {
  test('W3 a key is known by its hash alone, under its pepper', () => {
    const { key, id, hash } = makeKey('live', 'salt')
    expect(keyId(key)).toBe(id)
    expect(hash).not.toContain(key)
    expect(matches(key, hash, 'salt')).toBe(true)
    expect(matches(key, hash, '')).toBe(false)
    expect(matches(`${key}x`, hash, 'salt')).toBe(false)
    expect(matches(key, null, 'salt')).toBe(false)
    expect(matches(key, 'zz', 'salt')).toBe(false)
  })

  test('W3 what is not of our form has no id', () => {
    const { key } = makeKey('live', '')
    for (const bad of ['', 'sk-123', key.slice(0, -1), `${key}a`, key.toUpperCase()]) expect(keyId(bad)).toBeNull()
    const flipped = key.slice(0, -2) + (key.at(-2) === 'A' ? 'B' : 'A') + key.at(-1)
    expect(keyId(flipped)).toBeNull()
  })

  test('W3 a thousand keys differ, and so do their hashes', () => {
    const keys = Array.from({ length: 1_000 }, () => makeKey('live', ''))
    expect(new Set(keys.map((k) => k.key)).size).toBe(1_000)
    expect(new Set(keys.map((k) => hashKey(k.key, ''))).size).toBe(1_000)
  })
})
