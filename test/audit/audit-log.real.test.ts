import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { AuditEntry } from '../../src/audit/audit.ts'
import { AuditLog } from '../../src/audit/audit-log.ts'
import { systemClock } from '../../src/clock.ts'
import { LogLines, silent, TempFolder } from '../support/parley.ts'

const entry = (subject: string): AuditEntry => ({ kind: 'session.opened', actor: 'node', tenant: null, subject })

describe('the audit log', () => {
  test('V4 rows are there in the order in which they were recorded, and are still there after a restart', async () => {
    using folder = new TempFolder()
    const file = join(folder.path, 'audit.db')
    {
      await using log = await AuditLog.open(file, 'n-1', systemClock, silent)
      for (let i = 1; i <= 100; i++) log.record(entry(`s-${i}`))
    }
    await using log = await AuditLog.open(file, 'n-2', systemClock, silent)
    log.record(entry('s-101'))
    const rows = await log.read(0, 1_000)
    expect(rows.map((row) => row.subject)).toEqual(Array.from({ length: 101 }, (_, i) => `s-${i + 1}`))
    expect(rows.at(-1)?.node).toBe('n-2')
    const { ok, head } = await log.verify()
    expect(ok).toBe(true)
    expect(await log.verify({ ...head, seq: 102 })).toMatchObject({ ok: false, problem: { seq: 102 } })
  })

  test('V4 a log that cannot be opened says why', async () => {
    using folder = new TempFolder()
    mkdirSync(join(folder.path, 'audit.db'))
    await expect(AuditLog.open(join(folder.path, 'audit.db'), 'n-1', systemClock, silent)).rejects.toThrow(/open/)
  })

  test('V4 a row that cannot be written raises an alarm, and nothing else', async () => {
    using folder = new TempFolder()
    const lines = new LogLines()
    const log = await AuditLog.open(join(folder.path, 'audit.db'), 'n-1', systemClock, lines.log)
    await log[Symbol.asyncDispose]()
    log.record(entry('s-1'))
    await expect(log.read(0, 1)).rejects.toThrow('closed')
    expect(lines.lines.join()).toContain('audit row not written')
  })
})
