import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** No window, no updates, no talk with anybody but the test's own servers; certificates made by the test are believed. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--ignore-certificate-errors',
  // Timers of a page nobody looks at must not slow down.
  '--disable-background-timer-throttling',
]

/** The machine's own Chromium. Rejects with a plain sentence when there is none. */
export async function openChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: [...FLAGS, ...flags], timeout: 60_000 })
}

/** A person who has allowed the microphone, and says once what is in a WAV file. */
export function speaking(wav: string): string[] {
  const fake = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']
  return [...fake, `--use-file-for-fake-audio-capture=${wav}%noloop`]
}

function findChromium(): string {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not in this folder.
      }
    }
  }
  throw new Error('no Chromium on PATH: `npm test` installs one, or `apt-get install chromium`')
}
