import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { apiDocument } from '../../src/http/document.ts'

const BATCH_DOOR = /^\/v1\/(files|uploads|jobs|batches|webhook_\w+)/

describe('the document of all routes', () => {
  const document = JSON.parse(JSON.stringify(apiDocument()))

  test('V3 is what the repository has: run `npm run openapi` after a change of a route', () => {
    const kept = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'))
    expect(document).toEqual(kept)
  })

  test('V3 says of every operation what it does, and of the batch door’s how it fails', () => {
    for (const [path, operations] of Object.entries(document.paths as Record<string, Record<string, never>>)) {
      for (const [method, operation] of Object.entries(operations)) {
        const { summary, responses } = operation as {
          summary?: string
          responses: Record<string, { content?: object }>
        }
        expect(summary, `${method} ${path}`).toMatch(/^[A-Z].{5,}[^.]$/)
        if (!BATCH_DOOR.test(path) || method === 'options') continue
        for (const status of ['401', '403', '429', '503']) {
          expect(Object.keys(responses[status]?.content ?? {}), `${method} ${path}`).toEqual([
            'application/problem+json',
          ])
        }
      }
    }
  })
})
