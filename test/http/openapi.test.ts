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

  test('V3 has a place for every operation, in the order of a first reading, and names events as what they are', () => {
    const parts = (document.tags as { name: string; description: string }[]).map(({ name }) => name)
    expect(parts).toEqual(['Live', 'Jobs', 'Files', 'Batches', 'Drop-ins', 'Usage', 'Webhooks', 'Admin', 'Health'])
    for (const { description } of document.tags) expect(description).toMatch(/^[A-Z].{20,}\.$/)
    const items: [string, Record<string, { tags?: string[] }>][] = Object.entries({
      ...document.paths,
      ...document.webhooks,
    })
    const places = items.flatMap(([path, item]) =>
      Object.entries(item).map(([method, { tags = [] }]) => {
        expect(tags.length, `${method} ${path}`).toBe(1)
        return parts.indexOf(tags[0] as string)
      }),
    )
    const ofPaths = places.slice(0, places.length - Object.keys(document.webhooks).length)
    expect(ofPaths).toEqual([...ofPaths].sort((a, b) => a - b))
    expect(new Set(ofPaths).size).toBe(parts.length)
    for (const event of Object.keys(document.webhooks)) expect(event).toMatch(/^[a-z_]+\.[a-z_]+$/)
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
