import { isMainThread } from 'node:worker_threads'

// Loaded before a relay's own code: collects garbage when the bench asks, and ends the relay when the bench is gone.
if (isMainThread && process.send !== undefined) {
  process.on('message', (message) => {
    if (message !== 'collect') return
    for (let i = 0; i < 3; i++) globalThis.gc?.()
    process.send?.('collected')
  })
  process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
}
