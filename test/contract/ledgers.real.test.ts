import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openLedger } from '../../src/ledger/open-ledger.ts'
import { PostgresLedger } from '../../src/ledger/postgres-ledger.ts'
import { SqliteLedger } from '../../src/ledger/sqlite-ledger.ts'
import { silent, TempFolder } from '../support/parley.ts'
import { Postgres } from '../support/postgres.ts'
import { posted, record } from '../support/records.ts'
import { ledgerContract } from './ledger-contract.ts'

describe('the contract of ledgers: sqlite', () => {
  const folder = new TempFolder()
  afterAll(() => folder[Symbol.dispose]())
  let path = ''
  ledgerContract(
    () => {
      path = join(folder.path, randomUUID(), 'ledger.sqlite')
      return SqliteLedger.open(path)
    },
    () => SqliteLedger.open(path),
  )

  test('V4 the file is for its owner only', async () => {
    await using ledger = await openLedger({ type: 'sqlite', file: join(folder.path, 'mine', 'ledger.sqlite') }, silent)
    await ledger.append(posted(record()))
    for (const end of ['', '-wal', '-shm']) {
      expect(statSync(join(folder.path, 'mine', `ledger.sqlite${end}`)).mode & 0o077, end).toBe(0)
    }
  })

  test('M3 a file that is no ledger is refused with a sentence', async () => {
    await expect(SqliteLedger.open(folder.path)).rejects.toThrow()
    const { writeFileSync } = await import('node:fs')
    const file = join(folder.path, 'text.sqlite')
    writeFileSync(
      file,
      'this is a letter to my aunt, and it is long enough to be taken for a header of a database file\n',
    )
    await expect(SqliteLedger.open(file)).rejects.toThrow(/text\.sqlite.*not a database/)
  })

  test('L7 a ledger that was closed says that it is away', async () => {
    const ledger = await SqliteLedger.open(join(folder.path, 'closed.sqlite'))
    await ledger[Symbol.asyncDispose]()
    await expect(ledger.append(posted(record()))).rejects.toMatchObject({ code: 'store_unavailable' })
  })
})

describe('the contract of ledgers: postgres', () => {
  let server: Postgres
  let url = ''
  beforeAll(async () => {
    server = await Postgres.start()
  })
  afterAll(() => server[Symbol.asyncDispose]())
  ledgerContract(
    () => {
      url = server.database()
      return PostgresLedger.open(url, silent)
    },
    () => PostgresLedger.open(url, silent),
  )

  test('M3 two processes that make the same tables at once both get them', async () => {
    const fresh = server.database()
    const ledgers = await Promise.all([1, 2, 3].map(() => PostgresLedger.open(fresh, silent)))
    expect(new Set(ledgers.map((ledger) => ledger.id)).size).toBe(1)
    for (const ledger of ledgers) await ledger[Symbol.asyncDispose]()
  })

  test('L7 a server that is not there is a plain sentence at start, and a passing fault later', async () => {
    await expect(PostgresLedger.open('postgres://parley@127.0.0.1:1/none', silent)).rejects.toThrow(/Postgres cannot/)
    const own = await Postgres.start()
    const ledger = await PostgresLedger.open(own.database(), silent)
    await own[Symbol.asyncDispose]()
    await expect(ledger.append(posted(record()))).rejects.toMatchObject({ code: 'store_unavailable' })
    await ledger[Symbol.asyncDispose]()
  })
})
