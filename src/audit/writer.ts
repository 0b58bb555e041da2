// The thread that writes an audit log: SQLite waits for the disk, and no session may wait with it.
import { parentPort, workerData } from 'node:worker_threads'
import { AuditBook } from './audit-book.ts'
import type { WriterAnswer, WriterData, WriterRequest } from './audit-log.ts'

const port = parentPort
if (port === null) throw new Error('this file is the entry of a worker thread')
const { file, node } = workerData as WriterData
const book = AuditBook.open(file, node)

async function answer(request: WriterRequest): Promise<unknown> {
  switch (request.type) {
    case 'record':
      return book.append(request.entry, request.at)
    case 'read':
      return book.read(request.after, request.most)
    case 'verify':
      return book.verify(request.anchor)
    case 'close':
      book[Symbol.dispose]()
      return port?.close()
  }
}

port.on('message', ({ id, request }: { id: number; request: WriterRequest }) => {
  answer(request).then(
    (value) => port.postMessage({ id, value } satisfies WriterAnswer),
    (error: unknown) => port.postMessage({ id, error: String(error) } satisfies WriterAnswer),
  )
})
