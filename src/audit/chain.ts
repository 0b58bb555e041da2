import { createHash } from 'node:crypto'
import type { AuditActor, AuditKind, AuditValue } from './audit.ts'

/** One row of the log. Each holds the hash of the one before, so that none can be altered, removed or moved unseen. */
export interface AuditRow {
  /** From 1, without gaps. */
  readonly seq: number
  /** Epoch ms, whole. */
  readonly at: number
  /** The run of the node that wrote it. */
  readonly node: string
  readonly kind: AuditKind
  readonly actor: AuditActor
  readonly tenant: string | null
  readonly subject: string | null
  readonly detail: AuditValue
  /** Hex SHA-256; of the first row `GENESIS`. */
  readonly previous: string
  /** Hex SHA-256 over everything above. */
  readonly hash: string
}

/** A place in a chain: the last row that was there at some time. */
export interface ChainHead {
  readonly seq: number
  readonly hash: string
}

export const GENESIS = '0'.repeat(64)
export const EMPTY: ChainHead = { seq: 0, hash: GENESIS }

export function seal(row: Omit<AuditRow, 'hash'>): AuditRow {
  return { ...row, hash: hashOf(row) }
}

/** The previous hash, then the rest as canonical JSON (RFC 8785 for the values that occur: no fractions, no `undefined`). */
function hashOf({ previous, ...row }: Omit<AuditRow, 'hash'> & { hash?: string }): string {
  const { hash: _hash, ...content } = row
  return createHash('sha256').update(previous).update(canonical(content)).digest('hex')
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}

/** What is wrong with a chain, and at which row it shows. */
export interface ChainProblem {
  readonly seq: number
  readonly what: 'altered' | 'missing' | 'out_of_order'
}

/** Walks a chain from its first row on. */
export class ChainCheck {
  #head = EMPTY

  get head(): ChainHead {
    return this.#head
  }

  /** The next row in order of `seq`; null when it follows. */
  accept(row: AuditRow): ChainProblem | null {
    const expected = this.#head.seq + 1
    if (row.seq !== expected) return { seq: expected, what: 'missing' }
    // A row that is whole in itself but does not follow the one before has been moved, or the one before exchanged.
    if (hashOf(row) !== row.hash) return { seq: row.seq, what: 'altered' }
    if (row.previous !== this.#head.hash) return { seq: row.seq, what: 'out_of_order' }
    this.#head = { seq: row.seq, hash: row.hash }
    return null
  }

  /** Once the last row has been accepted: the chain must reach as far as it is known to have reached. */
  end(known: ChainHead): ChainProblem | null {
    if (this.#head.seq < known.seq) return { seq: this.#head.seq + 1, what: 'missing' }
    if (this.#head.seq === known.seq && this.#head.hash !== known.hash) return { seq: known.seq, what: 'altered' }
    return null
  }
}
