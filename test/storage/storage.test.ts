import { describe, expect, test } from 'vitest'
import { blobName } from '../../src/storage/storage.ts'

describe('names of blobs', () => {
  test.each([
    [['acme']],
    [['acme', '..']],
    [['.', 'x']],
    [['acme', '']],
    [['acme', 'a/b']],
    [['acme', 'a\\b']],
    [['acme', '../x']],
    [['acme', 'a\0']],
    [['acme', 'x'.repeat(81)]],
  ])('Q1 %j are none', (parts) => {
    expect(() => blobName(...(parts as [string]))).toThrow(RangeError)
  })
})
