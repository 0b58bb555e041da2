import type { Redis } from 'ioredis'
import type { CounterAccount, CounterName, SpendCounters } from '../../src/ledger/counters.ts'
import { accountsOfRecord, type Posting } from '../../src/ledger/ledger.ts'
import { dayOf, LIFE, monthOf, type Period } from '../../src/ledger/period.ts'
import { keys } from '../../src/store/keys.ts'
import { nanoUsd } from '../../src/units.ts'

/** Counters in real Redis, and the booking that raises them: as little as the ledger needs to be tested against. */
export class PlainCounters implements SpendCounters {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  async spentOf(account: CounterAccount, period: Period) {
    return nanoUsd(Number((await this.#redis.get(key(account, period))) ?? 0))
  }

  async setSpent(account: CounterAccount, period: Period, nano: number): Promise<void> {
    await this.#redis.set(key(account, period), String(nano))
  }

  /** Counts and writes to the journal in one transaction, as settling does. */
  async book(postings: readonly Posting[]): Promise<void> {
    const transaction = this.#redis.multi()
    for (const { record, booked } of postings) {
      for (const account of accountsOfRecord(record)) {
        for (const period of [LIFE, monthOf(booked), dayOf(booked)]) {
          transaction.incrby(key(nameOf(account), period), record.cost)
        }
      }
      const fields = ['record', JSON.stringify(record), 'booked', String(booked)]
      transaction.xadd(keys.journal(keys.limits), '*', ...fields)
    }
    await transaction.exec()
  }
}

const key = (account: CounterAccount, period: Period) => `test:${account.kind}:${account.id}:${period.name}`

export const nameOf: CounterName = (account) => {
  switch (account.kind) {
    case 'installation':
      return { kind: account.kind, id: 'all' }
    case 'tenant':
      return { kind: account.kind, id: account.tenant }
    case 'user':
      return { kind: account.kind, id: Buffer.from(`${account.tenant} ${account.user}`).toString('base64url') }
    case 'session':
      return { kind: account.kind, id: account.session }
  }
}
