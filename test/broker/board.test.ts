import { expect, test } from 'vitest'
import { Board } from '../../src/broker/node/board.ts'
import type { NodeReport } from '../../src/wire/console.ts'
import { ManualClock } from '../support/manual-clock.ts'

const report = (id: string): NodeReport => ({
  node: {
    ...{ id, url: `http://${id}`, started_at: 0, told_at: 0, draining: false, sessions: 0, unlisted: 0 },
    ...{ memory_bytes: 1, busy: 0, counts: { refused: [], throttled: [], ended: [] } },
  },
  sessions: [],
  ended: [],
})

/** A board of two nodes; counts what is asked. */
function boardOf(answer: (node: string) => unknown, living: readonly string[] = ['one', 'two']) {
  const clock = new ManualClock()
  const asked: string[] = []
  const board = new Board({
    clock,
    nodes: { id: 'one', living: async () => [...living] },
    inquiries: {
      ask: async (node) => {
        asked.push(node)
        return answer(node)
      },
    },
    jobs: () => Promise.reject(new Error('away')),
    money: () => Promise.reject(new Error('away')),
  })
  return { clock, asked, board }
}

const settled = () => new Promise(setImmediate)

test('V2 nodes are asked while somebody looks, once for all who look, and not at all otherwise', async () => {
  const { clock, asked, board } = boardOf(report)
  await settled()
  expect(asked).toEqual([])
  let rounds = 0
  const first = board.watch(() => rounds++)
  await settled()
  const second = board.watch(() => rounds++)
  expect(asked).toEqual(['one', 'two'])
  expect(rounds).toBe(2)
  clock.pass(2_000)
  await settled()
  expect(asked).toHaveLength(4)
  expect(rounds).toBe(4)
  first[Symbol.dispose]()
  second[Symbol.dispose]()
  clock.pass(60_000)
  await settled()
  expect(asked).toHaveLength(4)
})

test('V2 a node that is silent, or speaks in words that are not known, is named, and hides none of the others', async () => {
  const { board } = boardOf((node) => (node === 'one' ? report(node) : { hello: 1 }))
  const seen = Promise.withResolvers<void>()
  using _watch = board.watch(({ nodes, tick }) => {
    expect(JSON.parse(nodes)).toMatchObject([{ id: 'one' }])
    expect(tick).toMatchObject({ silent: ['two'], missing: ['jobs', 'money'] })
    seen.resolve()
  })
  await seen.promise
})

test('V2 what a node said last is told while it is silent, and not when it lives no more', async () => {
  const living = ['one', 'two']
  let isSilent = false
  const { clock, board } = boardOf((node) => (node === 'two' && isSilent ? null : report(node)), living)
  const seen: { nodes: string[]; silent: readonly string[] }[] = []
  using _watch = board.watch(({ nodes, tick }) => {
    seen.push({ nodes: (JSON.parse(nodes) as NodeReport['node'][]).map(({ id }) => id).sort(), silent: tick.silent })
  })
  const round = async () => {
    clock.pass(2_000)
    await settled()
    return seen.at(-1)
  }
  await settled()
  isSilent = true
  expect(await round()).toEqual({ nodes: ['one', 'two'], silent: ['two'] })
  expect(await round()).toEqual({ nodes: ['one', 'two'], silent: ['two'] })
  living.pop()
  expect(await round()).toEqual({ nodes: ['one'], silent: [] })
})
