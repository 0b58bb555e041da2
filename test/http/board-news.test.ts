import { expect, test } from 'vitest'
import type { BoardState } from '../../src/broker/node/board.ts'
import { NOTHING_TOLD, newsFor } from '../../src/http/console/board-news.ts'

const tick = { at: 1, every_ms: 2_000, silent: [], missing: [] }
const state = (sessions: Record<string, string>, changes: Partial<BoardState> = {}): BoardState => ({
  ...{ sessions: new Map(Object.entries(sessions)), ended: '[]', nodes: '[1]', jobs: null, money: '{}', tick },
  ...changes,
})
const names = (text: string) => [...text.matchAll(/^event: (\w+)$/gm)].map((match) => match[1])

test('V2 the first news are all there is; what is not known yet is not told', () => {
  const text = newsFor(NOTHING_TOLD, state({ a: '{"id":"a"}', b: '{"id":"b"}' }))
  expect(names(text)).toEqual(['sessions', 'ended', 'nodes', 'money', 'tick'])
  expect(text).toContain('data: {"set":[{"id":"a"},{"id":"b"}],"gone":[]}\n\n')
})

test('V2 afterwards only what has changed is told, and what is gone', () => {
  const before = state({ a: '{"id":"a"}', b: '{"id":"b"}', c: '{"id":"c"}' })
  const after = state({ a: '{"id":"a"}', b: '{"id":"b","x":1}' }, { jobs: '{"j":1}' })
  const text = newsFor(before, after)
  expect(names(text)).toEqual(['sessions', 'jobs', 'tick'])
  expect(text).toContain('data: {"set":[{"id":"b","x":1}],"gone":["c"]}\n\n')
  expect(names(newsFor(after, after))).toEqual(['tick'])
})
