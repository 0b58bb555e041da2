// Runs the Dockerfile's own steps without a Docker engine: every stage in a folder of its own, COPY under the rules of
// .dockerignore, RUN with the stage's ENV, at last the HEALTHCHECK against the CMD. So the file is known to work where no
// engine runs. System steps (apt-get, chown, USER) are checked for what they are meant to bring, not repeated here.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const lab = realpathSync(mkdtempSync(join(tmpdir(), 'parley-docker-')))
const stages = new Map()
/** Largest final image content that is ours, bytes: Node's own layers come on top. */
const LARGEST_IMAGE = 200 * 1024 * 1024

function fail(why) {
  process.stderr.write(`docker steps: ${why}\n`)
  rmSync(lab, { recursive: true, force: true })
  process.exit(1)
}

/** Instructions with continuation lines joined, comments dropped. */
function instructions(text) {
  return text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => ({ word: line.split(/\s+/, 1)[0], rest: line.replace(/^\S+\s*/, '') }))
}

/** `.dockerignore` of the form this project keeps: everything is out but what is named. */
const allowed = readFileSync(join(root, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1))

function isInContext(path) {
  return allowed.some((entry) => path === entry || path.startsWith(`${entry}/`) || entry.startsWith(`${path}/`))
}

/** A path of the image as a path on this machine. */
function inStage(stage, path) {
  return path.startsWith('/') ? join(stage.folder, path) : join(stage.folder, stage.workdir, path)
}

function copy(stage, rest) {
  const words = rest.split(/\s+/)
  const from = words[0].startsWith('--from=') ? stages.get(words.shift().slice(7)) : null
  const target = words.pop()
  for (const source of words) {
    const path = from === null ? join(root, source) : inStage(from, source)
    if (from === null && !isInContext(source.replace(/\/$/, ''))) fail(`COPY ${source}: .dockerignore keeps it out`)
    if (!existsSync(path)) fail(`COPY ${source}: is not there`)
    const into = inStage(stage, target)
    const isFolder = statSync(path).isDirectory()
    mkdirSync(isFolder || target.endsWith('/') ? into : dirname(into), { recursive: true })

    const isInto = isFolder || statOr(into)?.isDirectory() !== true
    cpSync(path, isInto ? into : join(into, basename(path)), { recursive: true, verbatimSymlinks: true })
  }
}

function statOr(path) {
  return existsSync(path) ? statSync(path) : null
}

function runStep(stage, command) {
  if (/^apt-get /.test(command)) {
    for (const tool of ['g++', 'make', 'python3', 'ffmpeg']) {
      const version = tool === 'ffmpeg' ? '-version' : '--version'
      if (command.includes(tool) && spawnSync(tool, [version]).status !== 0) fail(`RUN ${command}: no ${tool} here`)
    }
    return
  }
  if (command.startsWith('mkdir')) {
    mkdirSync(inStage(stage, '/data'), { recursive: true })
    return
  }
  const { status } = spawnSync('sh', ['-c', command], { cwd: inStage(stage, '.'), env: stage.env, stdio: 'inherit' })
  if (status !== 0) fail(`RUN ${command}: exit ${status}`)
}

/** `NAME=value NAME=value`, with this machine's headers in place of the image's. */
function setEnv(stage, rest) {
  for (const pair of rest.split(/\s+/)) {
    const [name, value] = pair.split('=')
    stage.env[name] = name === 'npm_config_nodedir' ? headers() : value
  }
}

function headers() {
  const prefix = dirname(dirname(realpathSync(process.execPath)))
  const platform = `node-${process.platform}-${process.arch}`
  const places = [prefix, join(prefix, 'node_modules', platform), join(dirname(prefix), platform)]
  return places.find((place) => existsSync(join(place, 'include', 'node', 'node_version.h'))) ?? ''
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts CMD as the image would, asks HEALTHCHECK until it says yes, ends it with STOPSIGNAL. */
async function tryImage(stage, { cmd, healthcheck }) {
  const port = await freePort()
  const home = inStage(stage, '/data')
  const env = { ...stage.env, PORT: String(port), TLS_PORT: '0', HOST: '127.0.0.1', PARLEY_DATA_DIR: home }
  const cwd = inStage(stage, '.')
  const child = spawn(cmd[0], cmd.slice(1), { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  let isHealthy = false
  for (let i = 0; i < 40 && !isHealthy && child.exitCode === null; i++) {
    isHealthy = spawnSync(healthcheck[0], healthcheck.slice(1), { cwd, env }).status === 0
    if (!isHealthy) await new Promise((resolve) => setTimeout(resolve, 250))
  }
  child.kill('SIGTERM')
  const end = await exited
  if (!isHealthy) fail('HEALTHCHECK never said yes')
  if (end.code !== 0) fail(`CMD did not end in good order after SIGTERM: ${JSON.stringify(end)}`)
}

const nodeBin = join(root, '.runtime', 'bin')
const path = [existsSync(nodeBin) ? nodeBin : dirname(process.execPath), process.env.PATH].join(delimiter)
// What npm needs to reach its registry from this machine; nothing else of the environment reaches the image.
const machine = Object.fromEntries(
  Object.entries(process.env).filter(([name]) =>
    /^(HOME|NODE_EXTRA_CA_CERTS|npm_config_(cafile|registry|userconfig)|https?_proxy)$/i.test(name),
  ),
)
let stage = null
let healthcheck = null
let cmd = null
for (const { word, rest } of instructions(readFileSync(join(root, 'Dockerfile'), 'utf8'))) {
  if (word === 'FROM') {
    const name = / AS (\S+)$/i.exec(rest)?.[1] ?? 'final'
    stage = { name, folder: join(lab, name), workdir: '/', env: { ...machine, PATH: path } }
    mkdirSync(stage.folder, { recursive: true })
    stages.set(name, stage)
    continue
  }
  if (word === 'WORKDIR') {
    stage.workdir = rest
    mkdirSync(inStage(stage, '.'), { recursive: true })
  } else if (word === 'ENV') setEnv(stage, rest)
  else if (word === 'COPY') copy(stage, rest)
  else if (word === 'RUN') runStep(stage, rest)
  else if (word === 'HEALTHCHECK') healthcheck = JSON.parse(rest.slice(rest.indexOf('[')))
  else if (word === 'CMD') cmd = JSON.parse(rest)
  else if (!['USER', 'VOLUME', 'EXPOSE', 'STOPSIGNAL'].includes(word)) fail(`${word}: not known here`)
}
const bytes = Number(execFileSync('du', ['-sb', stage.folder], { encoding: 'utf8' }).split('\t')[0])
if (bytes > LARGEST_IMAGE) fail(`${relative(lab, stage.folder)} holds ${bytes} bytes, more than ${LARGEST_IMAGE}`)
if (existsSync(join(inStage(stage, '.'), 'node_modules', 'vitest'))) fail('development dependencies are in the image')
await tryImage(stage, { cmd, healthcheck })
rmSync(lab, { recursive: true, force: true })
process.stdout.write(`docker steps: built, healthy, ended in good order; ${Math.round(bytes / 1e6)} MB beside Node\n`)
