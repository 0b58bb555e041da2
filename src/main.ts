import { parseArgs } from 'node:util'
import { systemClock } from './clock.ts'
import { loadConfig } from './config/load-config.ts'
import { ConfigError } from './config/read-config.ts'
import { createLogger } from './log.ts'
import { serve } from './serve.ts'
import { welcome } from './welcome.ts'

/** Wiring only: configuration, then everything it names, until a signal says stop. */
async function main(): Promise<void> {
  parseArgs({ options: { only: { type: 'string' } } })
  const loaded = loadConfig()
  const log = createLogger(loaded.config.logLevel)
  const running = await serve(loaded.config, { clock: systemClock, log, path: process.env.PATH })
  process.stdout.write(welcome(loaded, running))

  process.on('SIGHUP', () => {
    try {
      const next = loadConfig()
      const restart = running.reload(next.config)
      log.info({ needsRestart: restart }, 'configuration reloaded')
    } catch (error) {
      log.error({ why: String(error) }, 'configuration not reloaded: the old one stays')
    }
  })
  let isStopping = false
  const stop = (signal: string) => {
    if (isStopping) {
      log.warn({ signal }, 'second signal: stopping now')
      running.stopNow()
      return
    }
    isStopping = true
    log.info({ signal }, 'draining')
    running.drain().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'drain failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => stop('SIGINT'))
}

main().catch((error: unknown) => {
  const isOurs = error instanceof ConfigError || (error instanceof Error && error.stack !== undefined)
  process.stderr.write(`${isOurs && error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
