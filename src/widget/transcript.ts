/** One line of what was said, as people read it. */
export interface Line {
  /** The conversation item's id, or the notice's own. */
  id: string
  who: 'user' | 'assistant'
  how: 'spoken' | 'written'
  text: string
  /** False while more of it is coming. */
  isDone: boolean
  /** The rest was cut off and not heard. */
  isInterrupted: boolean
  /** Speech of it that has come or was heard, ms. */
  audioMs: number
}

/** Oldest lines go first: a page that stays open for hours must not grow for hours. */
const MOST_LINES = 200

const BLANK: Omit<Line, 'id' | 'who' | 'how'> = { text: '', isDone: false, isInterrupted: false, audioMs: 0 }

/** The transcript with line `id` changed, or added at the end where it is new. */
export function withLine(
  lines: readonly Line[],
  id: string,
  base: Pick<Line, 'who' | 'how'>,
  change: (line: Line) => Partial<Line>,
): readonly Line[] {
  const at = lines.findLastIndex((line) => line.id === id)
  const line = lines[at] ?? { id, ...base, ...BLANK }
  const changed = { ...line, ...change(line) }
  if (at >= 0) return lines.with(at, changed)
  return [...lines, changed].slice(-MOST_LINES)
}

/**
 * What was heard of a spoken line that was cut: its text came with its audio, so the same share of both is kept, up to the
 * end of the word.
 */
export function heardPart(line: Line, heardMs: number): Partial<Line> {
  const share = line.audioMs === 0 ? 0 : Math.min(1, heardMs / line.audioMs)
  if (share === 1 && line.isDone) return {}
  const at = Math.round(line.text.length * share)
  const rest = at === 0 ? '' : (/^\S*/.exec(line.text.slice(at))?.[0] ?? '')
  return { text: (line.text.slice(0, at) + rest).trimEnd(), isDone: true, isInterrupted: true, audioMs: heardMs }
}

/** Everything that was still coming has come to its end. */
export function allDone(lines: readonly Line[]): readonly Line[] {
  return lines.every((line) => line.isDone) ? lines : lines.map((line) => ({ ...line, isDone: true }))
}
