import type { BoardState } from '../../broker/node/board.ts'

/** What one reader of the board has been told. */
export interface Told {
  readonly sessions: ReadonlyMap<string, string>
  readonly ended: string
  readonly nodes: string
  readonly jobs: string | null
  readonly money: string | null
}

export const NOTHING_TOLD: Told = { sessions: new Map(), ended: '', nodes: '', jobs: null, money: null }

/** The events that bring a reader from what it has been told to what is there now; the tick comes last. */
export function newsFor(told: Told, now: BoardState): string {
  const frames: string[] = []
  const set = [...now.sessions].filter(([id, text]) => told.sessions.get(id) !== text).map(([, text]) => text)
  const gone = [...told.sessions.keys()].filter((id) => !now.sessions.has(id))
  if (set.length > 0 || gone.length > 0) {
    frames.push(frame('sessions', `{"set":[${set.join(',')}],"gone":${JSON.stringify(gone)}}`))
  }
  for (const part of ['ended', 'nodes', 'jobs', 'money'] as const) {
    const text = now[part]
    if (text !== null && text !== told[part]) frames.push(frame(part, text))
  }
  frames.push(frame('tick', JSON.stringify(now.tick)))
  return frames.join('')
}

/** JSON holds no line ends. */
const frame = (event: string, data: string) => `event: ${event}\ndata: ${data}\n\n`
