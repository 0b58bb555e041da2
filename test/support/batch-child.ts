import { systemClock } from '../../src/clock.ts'
import { configFrom } from '../../src/config/read-config.ts'
import type { PolicyInput } from '../../src/config/schema.ts'
import { createLogger } from '../../src/log.ts'
import { openStorage } from '../../src/storage/open-storage.ts'
import type { RedisPlace } from '../../src/store/redis.ts'
import { ms } from '../../src/units.ts'
import { startBatches } from '../../workers/batches/start-batches.ts'

/** A process that works on batches, to be killed: `<place of Redis> <policy>`, both as JSON. Its leases are of a second. */
const [, , place = '', policy = ''] = process.argv
const config = configFrom(JSON.parse(policy) as PolicyInput)
startBatches({
  ...{ clock: systemClock, log: createLogger('silent'), config: () => config, tools: null, lease: ms(1_000) },
  store: { place: JSON.parse(place) as RedisPlace },
  storage: await openStorage(config, systemClock.now()),
})
