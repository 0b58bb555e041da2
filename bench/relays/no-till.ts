import type { Till as RealTill } from '../../src/broker/money/till.ts'

/** In the till's place where a relay is measured without money: lets everybody in, and opens no books. */
export class Till implements Pick<RealTill, 'requirePrices' | 'admit' | 'beat' | 'leave'> {
  requirePrices(): void {}
  async admit(): Promise<void> {}
  async beat(): Promise<void> {}
  async leave(): Promise<void> {}
  /** A session that was given no books meters, limits and books nothing. */
  open(): null {
    return null
  }
}
