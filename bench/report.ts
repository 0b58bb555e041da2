/** What one scenario found out. */
export interface Report {
  title: string
  /** What was sent, and what a column means where its name does not say it. */
  notes: readonly string[]
  columns: readonly string[]
  rows: readonly (readonly string[])[]
  bars: readonly Bar[]
}

/** A promise in figures. */
export interface Bar {
  name: string
  figure: number
  most: number
  unit: string
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Figures of one relay, one for each round. */
export class Rounds {
  readonly #values = new Map<string, number[]>()

  add(relay: string, value: number): void {
    const values = this.#values.get(relay)
    if (values === undefined) this.#values.set(relay, [value])
    else values.push(value)
  }

  median(relay: string): number {
    return median(this.#values.get(relay) ?? [])
  }

  /** Median of the ratios to the yardstick in the same round. */
  ratio(relay: string, yardstick = 'bare'): number {
    return median(this.#paired(relay, yardstick, (a, b) => a / b))
  }

  /** Median of the differences from the yardstick in the same round. */
  difference(relay: string, yardstick = 'bare'): number {
    return median(this.#paired(relay, yardstick, (a, b) => a - b))
  }

  #paired(relay: string, yardstick: string, how: (a: number, b: number) => number): number[] {
    const other = this.#values.get(yardstick) ?? []
    return (this.#values.get(relay) ?? []).map((value, i) => how(value, other[i] ?? Number.NaN))
  }
}

export function fixed(value: number, digits: number): string {
  return Number.isNaN(value) ? '-' : value.toFixed(digits)
}

export function show(report: Report): string {
  const widths = report.columns.map((column, i) =>
    Math.max(column.length, ...report.rows.map((row) => (row[i] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('   ')}`
  return [
    '',
    report.title,
    ...report.notes.map((note) => `  ${note}`),
    line(report.columns),
    ...report.rows.map(line),
    ...report.bars.map(showBar),
    '',
  ].join('\n')
}

export function showBar(bar: Bar): string {
  const verdict = bar.figure <= bar.most ? 'met' : 'NOT met'
  return `  bar: ${bar.name}: ${fixed(bar.figure, 2)} ${bar.unit}, at most ${bar.most} ${bar.unit}: ${verdict}`
}
