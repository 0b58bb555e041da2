import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { blobName } from '../../src/storage/storage.ts'
import { ms } from '../../src/units.ts'
import type { PartedProcessor } from '../../workers/jobs/processor.ts'
import { finished, forAll, mediaWorld } from './media-workers.ts'

/**
 * A worker process of its own, to be killed: `<redis url> <folder> <part that it never ends, or -1>`. Every part that it does
 * stands as a line in the folder's `done`, every one that it begins in `begun`.
 */
const [, , redis = '', folder = '', stuck = '-1'] = process.argv
const PARTS = 4

const processor: PartedProcessor = {
  run: async () => ({ type: 'parted', costs: Array.from({ length: PARTS }, () => ms(10)) }),
  part: async (job, index, { storage, partDone }, signal) => {
    const name = blobName(job.tenant, job.id, `part-${index}`)
    appendFileSync(join(folder, 'begun'), `${index}\n`)
    if ((await storage.size(name)) === null) {
      if (index === Number(stuck))
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      appendFileSync(join(folder, 'done'), `${index}\n`)
      const bytes = async function* () {
        yield Buffer.from(String(index))
      }
      await storage.write(name, bytes(), 10)
    }
    partDone(index, PARTS)
  },
  merge: async (_job, failed) => finished({ failed: failed.length, by: process.pid }),
}

const stack = new AsyncDisposableStack()
const world = await mediaWorld(redis, folder, stack)
await world.workers(forAll(processor))
process.stdout.write('working\n')
