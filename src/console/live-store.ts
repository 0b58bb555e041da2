import type { EndedRow, JobsNow, LiveRow, MoneyNow, NodeView, SessionsNews, Tick } from '../wire/console.ts'
import type { StreamEvent } from './sse.ts'

/** Everything that the live stream has told. */
export interface Live {
  readonly sessions: Map<string, LiveRow>
  ended: readonly EndedRow[]
  nodes: readonly NodeView[]
  jobs: JobsNow | null
  money: MoneyNow | null
  tick: Tick | null
  /** How far the server's clock is ahead of the page's, ms. */
  ahead: number
}

/** Which parts an event has changed. */
export type Part = 'sessions' | 'ended' | 'nodes' | 'jobs' | 'money' | 'tick'

export function emptyLive(): Live {
  return { sessions: new Map(), ended: [], nodes: [], jobs: null, money: null, tick: null, ahead: 0 }
}

/** Takes one event in. Returns the part that it changed; null for an event of a later version. */
export function absorb(live: Live, { name, data }: StreamEvent, now: number): Part | null {
  switch (name) {
    case 'sessions': {
      const { set, gone } = JSON.parse(data) as SessionsNews
      for (const row of set) live.sessions.set(row.id, row)
      for (const id of gone) live.sessions.delete(id)
      return name
    }
    case 'ended':
      live.ended = JSON.parse(data) as EndedRow[]
      return name
    case 'nodes':
      live.nodes = JSON.parse(data) as NodeView[]
      return name
    case 'jobs':
      live.jobs = JSON.parse(data) as JobsNow
      return name
    case 'money':
      live.money = JSON.parse(data) as MoneyNow
      return name
    case 'tick':
      live.tick = JSON.parse(data) as Tick
      live.ahead = live.tick.at - now
      return name
    default:
      return null
  }
}

/** The same name and count from several nodes, summed, most first. */
export function summed<T>(lists: readonly (readonly T[])[], name: (each: T) => string, count: (each: T) => number) {
  const sums = new Map<string, number>()
  for (const each of lists.flat()) sums.set(name(each), (sums.get(name(each)) ?? 0) + count(each))
  return [...sums].map(([key, total]) => ({ name: key, count: total })).sort((a, b) => b.count - a.count)
}
