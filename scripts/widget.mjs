// Builds what browsers get. The voice widget into dist/widget/: one file for a script tag, one to import, the audio
// worklet, and types. The operator's console into dist/console/. The reader of the API's document into dist/docs/, as its
// package has it.
//   node scripts/widget.mjs            builds
//   node scripts/widget.mjs --if-old   only where the sources have changed since
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const out = join(root, 'dist', 'widget')
const desk = join(root, 'dist', 'console')
const docs = join(root, 'dist', 'docs')
const stamp = join(out, 'sources.sha256')

/** What each file is made from. The worklet is a module of its own, because pages with a strict CSP allow nothing else. */
const BUILDS = [
  { entry: 'widget/script.ts', file: join(out, 'parley-voice.js'), format: 'iife' },
  { entry: 'widget/module.ts', file: join(out, 'parley-voice.mjs'), format: 'esm' },
  { entry: 'widget/worklet/main.ts', file: join(out, 'parley-voice-audio.js'), format: 'esm' },
  { entry: 'console/main.ts', file: join(desk, 'console.js'), format: 'esm' },
]

function hashOfSources() {
  const hash = createHash('sha256')
  const sources = ['src/widget/**/*.ts', 'src/console/**/*.ts', 'src/wire/*.ts', 'scripts/widget.mjs']
  const files = globSync([...sources, 'package-lock.json'], { cwd: root })
  for (const file of files.sort()) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

const sources = hashOfSources()
const isFresh = existsSync(docs) && existsSync(desk) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sources
if (!process.argv.includes('--if-old') || !isFresh) {
  const { rolldown } = await import('rolldown')
  for (const folder of [out, desk]) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
  }
  for (const { entry, file, format } of BUILDS) {
    const build = await rolldown({ input: join(root, 'src', entry), platform: 'browser' })
    await build.write({ file, format, minify: true, sourcemap: true })
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
