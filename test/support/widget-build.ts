import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('../../scripts/widget.mjs', import.meta.url))

/** Builds the widget that nodes serve, where its sources have changed since. */
export function buildWidget(): void {
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, '--if-old'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the widget could not be built: ${stderr}`)
}
