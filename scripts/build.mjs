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
for (const file of globSync(['src/**/*.lua', 'workers/**/*.onnx', 'workers/**/NOTICE.md'], { cwd: root }))
  cpSync(join(root, file), join(root, 'dist', file))
