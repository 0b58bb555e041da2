// Compiles to dist/ and puts beside the code what it reads at run time.
import { execFileSync } from 'node:child_process'
import { cpSync, globSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
})
execFileSync(process.execPath, [join(root, 'scripts', 'widget.mjs')], { cwd: root, stdio: 'inherit' })
/** Read at run time from where it lies. */
const READ = ['src/**/*.lua', 'src/pages/*', 'workers/**/*.onnx', 'workers/**/NOTICE.md']
for (const file of globSync(READ, { cwd: root })) cpSync(join(root, file), join(root, 'dist', file))
