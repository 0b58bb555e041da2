// npm run audit [-- --file .parley/audit.db] [--seq N --hash H]: checks every row of an audit log, as it lies on the disk.
import { parseArgs } from 'node:util'
import { AuditBook } from '../src/audit/audit-book.ts'

const { values } = parseArgs({
  options: { file: { type: 'string', default: '.parley/audit.db' }, seq: { type: 'string' }, hash: { type: 'string' } },
})
const { file, seq, hash } = values
using book = AuditBook.openToRead(file)
const { ok, rows, head, problem } = await book.verify(
  seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash },
)
if (ok) process.stdout.write(`${file}: ${rows} rows, unbroken. Keep this: --seq ${head.seq} --hash ${head.hash}\n`)
else process.stdout.write(`${file}: row ${problem?.seq} is ${problem?.what}; ${rows} rows before it are good\n`)
process.exitCode = ok ? 0 : 1
