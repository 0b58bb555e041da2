import { dice } from '../fixtures/dice.ts'

/** Chance that can be repeated: the same seed gives the same throws. */
export class Dice {
  /** From 0 up to, not including, 1. */
  readonly next: () => number

  constructor(seed: number) {
    this.next = dice(seed)
  }

  /** Dice of their own for one part of the plan, so that a change in one part leaves the others as they were. */
  static of(seed: number, part: string): Dice {
    let hash = seed | 0
    for (const letter of part) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x9e3779b1)
    return new Dice(hash)
  }

  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(of: readonly T[]): T {
    const picked = of[Math.floor(this.next() * of.length)]
    if (picked === undefined) throw new RangeError('nothing to pick from')
    return picked
  }

  shuffled<T>(of: readonly T[]): T[] {
    return of
      .map((value) => ({ value, at: this.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ value }) => value)
  }
}
