import type { CounterAccount, SpendCounters } from '../ledger/counters.ts'
import type { LedgerAccount } from '../ledger/ledger.ts'
import type { Period as LedgerPeriod } from '../ledger/period.ts'
import { INSTALLATION, userAccount } from '../limits/accounts.ts'
import { type NanoUsd, nanoUsd } from '../units.ts'
import type { CounterName, Counters, Period } from './counters.ts'

/** The counters in Redis, as the ledger asks for them. */
export class LedgerCounters implements SpendCounters {
  readonly #counters: Counters

  constructor(counters: Counters) {
    this.#counters = counters
  }

  async spentOf(account: CounterAccount, period: LedgerPeriod): Promise<NanoUsd> {
    const [spent] = await this.#counters.spentOf([named(account, period)])
    return spent ?? nanoUsd(0)
  }

  /** Sessions go on booking meanwhile: what they add between the look and the change is not lost, so it is tried again. */
  async setSpent(account: CounterAccount, period: LedgerPeriod, nano: NanoUsd): Promise<void> {
    const name = named(account, period)
    for (;;) {
      const from = await this.spentOf(account, period)
      if (await this.#counters.setSpent({ ...name, spent: nano }, { from })) return
    }
  }
}

function named(account: CounterAccount, period: LedgerPeriod): CounterName {
  return { ...account, period: period.limit === 'budget' ? 'budget' : (`${period.limit}:${period.name}` as Period) }
}

/** Accounts of the ledger by the ids that sessions are admitted with. */
export function counterAccount(account: LedgerAccount): CounterAccount {
  switch (account.kind) {
    case 'installation':
      return { kind: 'installation', id: INSTALLATION }
    case 'tenant':
      return { kind: 'tenant', id: account.tenant }
    case 'user':
      return { kind: 'user', id: userAccount(account.tenant, account.user) }
    case 'session':
      return { kind: 'session', id: account.session }
  }
}
