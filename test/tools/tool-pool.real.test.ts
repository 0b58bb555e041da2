import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { bytes } from '../../src/units.ts'
import { findProgram } from '../../workers/tools/find-program.ts'
import { ToolPool } from '../../workers/tools/tool-pool.ts'
import { eventually } from '../support/eventually.ts'
import { TASKS } from '../support/tool-tasks.ts'

const prlimit = findProgram('prlimit', process.env.PATH)
const MEMORY = bytes(300 * 2 ** 20)

function pool(processes = 1): ToolPool<typeof TASKS> {
  const context = { ffmpeg: '/none', prlimit, longestAudioMs: 1, mostPixels: 1 }
  const module = new URL('../support/tool-tasks.ts', import.meta.url)
  return new ToolPool(TASKS, { processes, memory: MEMORY, path: process.env.PATH, context, module }, systemClock)
}

const never = new AbortController().signal

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('Q3 tasks share the processes there are, in turn', async () => {
  await using tools = pool(2)
  const pids = await Promise.all(Array.from({ length: 8 }, () => tools.run('pid', null, never)))
  expect(new Set(pids).size).toBe(2)
})

test('Q3 a process for media is given no environment but where programs are and how memory is had', async () => {
  await using tools = pool()
  const names = await tools.run('environment', null, never)
  const given = names.filter((name) => name !== 'NODE_CHANNEL_FD' && name !== 'NODE_CHANNEL_SERIALIZATION_MODE')
  expect(given.sort()).toEqual([
    'MALLOC_ARENA_MAX',
    'MALLOC_MMAP_THRESHOLD_',
    'MALLOC_TRIM_THRESHOLD_',
    'PATH',
    'UV_THREADPOOL_SIZE',
  ])
})

test('Q3 a fault crosses the process as it is, a bug as an error of ours', async () => {
  await using tools = pool()
  await expect(tools.run('refuse', null, never)).rejects.toMatchObject({ name: 'FaultError', code: 'media_corrupt' })
  await expect(tools.run('breaks', null, never)).rejects.toThrow('a bug')
})

test('Q3 an aborted task takes with it its process and every program that was started', async () => {
  await using tools = pool()
  const before = await tools.run('pid', null, never)
  const abort = new AbortController()
  const started = Promise.withResolvers<number[]>()
  const running = tools.run('hang', null, abort.signal, (...pids) => started.resolve(pids))
  const pids = await started.promise
  abort.abort(new Error('canceled'))
  await expect(running).rejects.toThrow('canceled')
  await eventually(() => expect(pids.map(isAlive)).toEqual([false, false]), 5_000)
  expect(await tools.run('pid', null, never)).not.toBe(before)
})

test('Q3 whoever waits for a process can be aborted and leaves the turn to others', async () => {
  await using tools = pool()
  const abort = new AbortController()
  const hanging = tools.run('hang', null, abort.signal)
  const waiting = tools.run('pid', null, AbortSignal.abort(new Error('gone')))
  await expect(waiting).rejects.toThrow('gone')
  const next = tools.run('pid', null, never)
  abort.abort(new Error('canceled'))
  await expect(hanging).rejects.toThrow('canceled')
  expect(await next).toBeGreaterThan(0)
})

test('Q3 a task that gives no sign of life is ended and told as too heavy', async () => {
  await using tools = pool()
  await expect(tools.run('stall', null, never)).rejects.toMatchObject({ code: 'media_too_heavy' })
})

test('Q3 a file that brings its process down is too heavy, a process that was killed is bad luck', async () => {
  await using tools = pool()
  await tools.run('pid', null, never)
  await expect(tools.run('dies', 'SIGSEGV', never)).rejects.toMatchObject({ code: 'media_too_heavy' })
  await tools.run('pid', null, never)
  await expect(tools.run('dies', 'SIGKILL', never)).rejects.toThrow('a process for media was killed')
  expect(await tools.run('pid', null, never)).toBeGreaterThan(0)
})

test.skipIf(prlimit === null)('Q3 a task cannot take more memory than it may, in the heap or beside it', async () => {
  await using tools = pool()
  expect(await tools.run('takes', 64, never)).toBe(64)
  await expect(tools.run('takes', 600, never)).rejects.toMatchObject({ code: 'media_too_heavy' })
  await expect(tools.run('grows', null, never)).rejects.toMatchObject({ code: 'media_too_heavy' })
  expect(await tools.run('pid', null, never)).toBeGreaterThan(0)
})

test('Q3 nothing is left of a pool that was disposed of', async () => {
  const tools = pool(2)
  const started = Promise.withResolvers<number[]>()
  const running = tools.run('hang', null, never, (...pids) => started.resolve(pids))
  const ends = expect(running).rejects.toMatchObject({ code: 'going_away' })
  const pids = await started.promise
  await tools[Symbol.asyncDispose]()
  await ends
  await eventually(() => expect(pids.map(isAlive)).toEqual([false, false]), 5_000)
  await expect(tools.run('pid', null, never)).rejects.toMatchObject({ code: 'going_away' })
})
