// Builds what browsers get. The voice widget into dist/widget/: one file for a script tag, one to import, the audio
// worklet, and types. The reader of the API's document into dist/docs/, as its package has it.
//   node scripts/widget.mjs            builds
//   node scripts/widget.mjs --if-old   only where the sources have changed since
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'dist', 'widget')
const docs = join(root, 'dist', 'docs')
const stamp = join(out, 'sources.sha256')

/** What each file is made from. The worklet is a module of its own, because pages with a strict CSP allow nothing else. */
const BUILDS = [
  { entry: 'script.ts', file: 'parley-voice.js', format: 'iife' },
  { entry: 'module.ts', file: 'parley-voice.mjs', format: 'esm' },
  { entry: 'worklet/main.ts', file: 'parley-voice-audio.js', format: 'esm' },
]

function hashOfSources() {
  const hash = createHash('sha256')
  const files = globSync(['src/widget/**/*.ts', 'src/wire/*.ts', 'scripts/widget.mjs', 'package-lock.json'], {
    cwd: root,
  })
  for (const file of files.sort()) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

const sources = hashOfSources()
const isFresh = existsSync(docs) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources
if (!process.argv.includes('--if-old') || !isFresh) {
  const { rolldown } = await import('rolldown')
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  for (const { entry, file, format } of BUILDS) {
    const build = await rolldown({ input: join(root, 'src', 'widget', entry), platform: 'browser' })
    await build.write({ file: join(out, file), format, minify: true, sourcemap: true })
    await build.close()
  }
  mkdirSync(docs, { recursive: true })
  for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'NOTICE']) {
    cpSync(join(root, 'node_modules', 'swagger-ui-dist', file), join(docs, file))
  }
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const args = [tsc, '-p', 'tsconfig.widget.json', '--outDir', join(out, 'types')]
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  writeFileSync(stamp, sources)
}
