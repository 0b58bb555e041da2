// Everything `npm start` and `npm test` need, on a machine that has npm and any Node from 20 on. Plain Node: it runs
// before anything is installed. Each step looks first and does nothing where its work is done already.
//   node scripts/setup.mjs          to run Parley
//   node scripts/setup.mjs --test   to test it: a browser, Postgres and ffmpeg as well
//   node scripts/setup.mjs --bench  to measure it: HAProxy as well, where it can be had
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** What is brought where the machine's own Node is older than `engines` allows. */
const BROUGHT_NODE = '24.21.0'
const OLDEST_NODE = [22, 18]
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const runtime = join(root, '.runtime')
const flags = process.argv.slice(2)
const forTests = flags.includes('--test')
const forBench = flags.includes('--bench')
/** Where servers are kept that only root runs, besides PATH. */
const SERVER_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** System packages by the command they bring, and how each package manager calls them. */
const NEEDS = {
  redis: {
    commands: ['redis-server', 'valkey-server'],
    names: { 'apt-get': ['redis-server'], dnf: ['valkey'], apk: ['redis'], pacman: ['valkey'], brew: ['redis'] },
  },
  compiler: {
    commands: ['g++', 'c++', 'clang++'],
    names: { 'apt-get': ['g++'], dnf: ['gcc-c++'], apk: ['g++'], pacman: ['gcc'], brew: [] },
  },
  make: {
    commands: ['make', 'gmake'],
    names: { 'apt-get': ['make'], dnf: ['make'], apk: ['make'], pacman: ['make'], brew: ['make'] },
  },
  python: {
    commands: ['python3'],
    names: { 'apt-get': ['python3'], dnf: ['python3'], apk: ['python3'], pacman: ['python'], brew: ['python'] },
  },
  chromium: {
    commands: ['chromium', 'chromium-browser', 'google-chrome'],
    names: { 'apt-get': ['chromium'], dnf: ['chromium'], apk: ['chromium'], pacman: ['chromium'], brew: ['chromium'] },
  },
  postgres: {
    commands: ['initdb'],
    isElsewhere: hasPostgres,
    names: {
      'apt-get': ['postgresql'],
      dnf: ['postgresql-server'],
      apk: ['postgresql17'],
      pacman: ['postgresql'],
      brew: ['postgresql@17'],
    },
  },
  ffmpeg: {
    commands: ['ffmpeg'],
    names: { 'apt-get': ['ffmpeg'], dnf: ['ffmpeg-free'], apk: ['ffmpeg'], pacman: ['ffmpeg'], brew: ['ffmpeg'] },
  },
  haproxy: {
    commands: ['haproxy'],
    names: { 'apt-get': ['haproxy'], dnf: ['haproxy'], apk: ['haproxy'], pacman: ['haproxy'], brew: ['haproxy'] },
  },
}
/** Postgres' programs lie outside the path on most systems. */
const POSTGRES_PLACES = ['/usr/lib/postgresql', '/usr/libexec', '/opt/homebrew/opt', '/usr/local/opt', '/usr']
const MANAGERS = {
  'apt-get': ['install', '-y', '--no-install-recommends'],
  dnf: ['install', '-y'],
  apk: ['add', '--no-cache'],
  pacman: ['-S', '--noconfirm'],
  brew: ['install'],
}

function say(line) {
  process.stderr.write(`set-up: ${line}\n`)
}

function stopWith(line) {
  say(line)
  process.exit(1)
}

function onPath(command) {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS]) {
    const file = join(folder, command)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {}
  }
  return null
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], cwd: root, ...options })
  return error === undefined && status === 0
}

function hasPostgres() {
  return POSTGRES_PLACES.filter((place) => existsSync(place))
    .flatMap((place) => readdirSync(place).map((name) => join(place, name)))
    .some((folder) => existsSync(join(folder, 'bin', 'initdb')) || existsSync(join(folder, 'initdb')))
}

function isHere({ commands, isElsewhere }) {
  return commands.some((command) => onPath(command) !== null) || isElsewhere?.() === true
}

/** Installs what is missing of the system's packages, or says what to type: `giveUp` decides whether to go on without. */
function bringPackages(needs, giveUp = stopWith) {
  const missing = needs.filter((need) => !isHere(NEEDS[need]))
  if (missing.length === 0) return
  const manager = Object.keys(MANAGERS).find((name) => onPath(name) !== null)
  if (manager === undefined) return giveUp(`please install: ${missing.join(', ')}`)
  const args = [...MANAGERS[manager], ...missing.flatMap((need) => NEEDS[need].names[manager])]
  const mayInstall = manager === 'brew' || process.getuid?.() === 0
  const line = `${manager === 'brew' ? '' : 'sudo '}${manager} ${args.join(' ')}`
  if (!mayInstall) return giveUp(`missing on this machine: ${missing.join(', ')}. Type:\n    ${line}`)
  say(`${manager} ${args.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const isThere = () => run(manager, args, { env })
  if (isThere()) return
  if (manager === 'apt-get' && run('apt-get', ['update'], { env }) && isThere()) return
  giveUp(`could not install ${missing.join(', ')}. Type:\n    ${line}`)
}

function npm(node, args, env = {}) {
  const path = [dirname(node), process.env.PATH].join(delimiter)
  const script = process.env.npm_execpath ?? npmBeside()
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error']
  return run(node, [script, ...args, ...quiet], { env: { ...process.env, ...env, PATH: path } })
}

/** npm's own script, where set-up was not started by npm itself. */
function npmBeside() {
  const command = onPath('npm')
  if (command === null) stopWith('npm is needed: install it together with Node.js')
  return realpathSync(command)
}

/** The Node everything runs on: the machine's own where it is new enough. */
function bringNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]))
    return realpathSync(process.execPath)
  const folder = join(runtime, `node-${BROUGHT_NODE}`)
  const node = join(folder, 'node_modules', 'node', 'bin', 'node')
  if (!existsSync(node)) {
    say(
      `Node ${process.versions.node} is older than ${OLDEST_NODE.join('.')}: bringing Node ${BROUGHT_NODE} into this folder`,
    )
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    if (
      !npm(process.execPath, ['install', '--no-save', `--prefix=${folder}`, `node@${BROUGHT_NODE}`]) ||
      !existsSync(node)
    ) {
      rmSync(folder, { recursive: true, force: true })
      stopWith(`could not bring Node ${BROUGHT_NODE}: install Node ${OLDEST_NODE.join('.')} or newer yourself`)
    }
  }
  return realpathSync(node)
}

/** Node's own headers, so that building an addon needs no download; null where this Node came without them. */
function headersOf(node) {
  const prefix = dirname(dirname(node))
  const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const places = [prefix, join(prefix, 'node_modules', platform), join(dirname(prefix), platform), '/usr']
  const version = versionOf(node)
  return places.find((place) => headersVersion(place) === version) ?? null
}

function headersVersion(place) {
  const file = join(place, 'include', 'node', 'node_version.h')
  if (!existsSync(file)) return null
  const text = readFileSync(file, 'utf8')
  return ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`NODE_${part}_VERSION (\\d+)`).exec(text)?.[1]).join('.')
}

function versionOf(node) {
  return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim().slice(1)
}

/** `.runtime/bin/node`: what the npm scripts run. */
function link(node) {
  const file = join(runtime, 'bin', 'node')
  mkdirSync(dirname(file), { recursive: true })
  rmSync(file, { force: true })
  symlinkSync(node, file)
}

/** `npm ci`, once per lock file and kind of Node. */
function bringDependencies(node) {
  const abi = execFileSync(node, ['-p', 'process.versions.modules + process.arch'], { encoding: 'utf8' }).trim()
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(root, 'node_modules', '.parley-set-up')
  const done = `${abi} ${lock}\n`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === done) return
  bringPackages(['compiler', 'make', 'python'])
  say('installing dependencies (npm ci)')
  const headers = headersOf(node)
  // What onnxruntime-node fetches at its own install is for graphics cards; the library for processors is in the package.
  const env = { ONNXRUNTIME_NODE_INSTALL: 'skip', ...(headers === null ? {} : { npm_config_nodedir: headers }) }
  if (!npm(node, ['ci'], env)) stopWith('npm ci failed: the lines above say why')
  writeFileSync(stamp, done)
}

const unknown = flags.filter((flag) => flag !== '--test' && flag !== '--bench')
if (unknown.length > 0) stopWith(`${unknown.join(' ')}: not known; --test and --bench are`)
const node = bringNode()
link(node)
bringDependencies(node)
if (!run(node, [join(root, 'scripts', 'widget.mjs'), '--if-old'])) stopWith('the widget could not be built')
const redisIsElsewhere = process.env.REDIS_URL !== undefined || process.env.REDIS_SERVER_BIN !== undefined
bringPackages([
  ...(redisIsElsewhere && !forTests ? [] : ['redis']),
  ...(forTests ? ['chromium', 'postgres', 'ffmpeg'] : []),
])
// What is measured beside Parley may be missing: its rows are left out then.
if (forBench) bringPackages(['haproxy', 'chromium'], say)
