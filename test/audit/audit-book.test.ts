import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { AuditEntry } from '../../src/audit/audit.ts'
import { AuditBook } from '../../src/audit/audit-book.ts'
import { TempFolder } from '../support/parley.ts'

const entry = (subject: string): AuditEntry => ({
  kind: 'session.opened',
  actor: 'key:abcdefgh',
  tenant: 'acme',
  subject,
  detail: { model: 'gpt-realtime', b: 1, a: [true, null] },
})

const AT = 1_795_000_000_000

describe('the book of the audit log', () => {
  let folder: TempFolder
  let file: string
  const open = (node = 'n-1') => AuditBook.open(file, node)
  beforeEach(() => {
    folder = new TempFolder()
    file = join(folder.path, 'audit.db')
  })
  afterEach(() => folder[Symbol.dispose]())

  /** Ten rows, then somebody with the file in his hands. */
  async function tampered(sql: string): Promise<Awaited<ReturnType<AuditBook['verify']>>> {
    using book = open()
    for (let i = 1; i <= 10; i++) book.append(entry(`s-${i}`), AT)
    using db = new DatabaseSync(file)
    db.exec('DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_shortened')
    db.exec(sql)
    return await book.verify()
  }

  test('V4 rows come back as they were written, in order, and the chain is whole', async () => {
    using book = open()
    for (let i = 1; i <= 2_500; i++) book.append(entry(`s-${i}`), AT)
    const rows = book.read(1, 2)
    expect(rows.map(({ seq, subject, node }) => [seq, subject, node])).toEqual([
      [2, 's-2', 'n-1'],
      [3, 's-3', 'n-1'],
    ])
    expect(rows[0]).toMatchObject(entry('s-2'))
    expect(await book.verify()).toMatchObject({ ok: true, rows: 2_500, head: { seq: 2_500 }, problem: null })
  })

  test('V4 a later run, and a second process on the same file, go on with the same chain', async () => {
    {
      using book = open()
      book.append(entry('s-1'), AT)
    }
    using one = open('n-2')
    using two = open('n-3')
    one.append(entry('s-2'), AT)
    two.append(entry('s-3'), AT)
    one.append(entry('s-4'), AT)
    expect(two.read(0, 9).map(({ node }) => node)).toEqual(['n-1', 'n-2', 'n-3', 'n-2'])
    expect(await one.verify()).toMatchObject({ ok: true, rows: 4 })
  })

  test.each([
    ['altered text', "UPDATE audit SET subject = 's-9' WHERE seq = 4", { seq: 4, what: 'altered' }],
    ['an altered detail', `UPDATE audit SET detail = '{"model":"x"}' WHERE seq = 4`, { seq: 4, what: 'altered' }],
    ['a detail that is no JSON', "UPDATE audit SET detail = '{' WHERE seq = 4", { seq: 4, what: 'altered' }],
    ['an altered time', 'UPDATE audit SET at = at + 1 WHERE seq = 10', { seq: 10, what: 'altered' }],
    ['a removed row', 'DELETE FROM audit WHERE seq = 4', { seq: 4, what: 'missing' }],
    ['the first row removed', 'DELETE FROM audit WHERE seq = 1', { seq: 1, what: 'missing' }],
    ['the end removed', 'DELETE FROM audit WHERE seq > 7', { seq: 8, what: 'missing' }],
    ['everything removed', 'DELETE FROM audit', { seq: 1, what: 'missing' }],
    [
      'two rows exchanged',
      'UPDATE audit SET seq = 99 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 99',
      { seq: 4, what: 'altered' },
    ],
    [
      'a gap closed by renumbering',
      'DELETE FROM audit WHERE seq = 4; UPDATE audit SET seq = seq - 1 WHERE seq > 4',
      { seq: 4, what: 'altered' },
    ],
  ])('V4 %s is found', async (_, sql, problem) => {
    expect(await tampered(sql)).toMatchObject({ ok: false, problem })
  })

  test('V4 a whole log exchanged for another sound one is found with a head kept elsewhere', async () => {
    using book = open()
    for (let i = 1; i <= 3; i++) book.append(entry(`s-${i}`), AT)
    const { head } = book
    expect(await book.verify(head)).toMatchObject({ ok: true })
    file = join(folder.path, 'other.db')
    using forged = open()
    for (let i = 1; i <= 3; i++) forged.append(entry(`s-${i + 1}`), AT)
    expect(await forged.verify()).toMatchObject({ ok: true })
    expect(await forged.verify(head)).toMatchObject({ ok: false, problem: { seq: 3, what: 'altered' } })
    expect(await forged.verify({ ...head, seq: 4 })).toMatchObject({ ok: false, problem: { seq: 4, what: 'missing' } })
  })

  test('V4 the file itself refuses changes, and is its owner’s alone', () => {
    using book = open()
    book.append(entry('s-1'), AT)
    using db = new DatabaseSync(file)
    expect(() => db.exec("UPDATE audit SET subject = 'x'")).toThrow('append-only')
    expect(() => db.exec('DELETE FROM audit')).toThrow('append-only')
  })
})
