import { pcm, silence, speech } from '../fixtures/index.ts'
import type { Caller, Event } from '../test/support/caller.ts'
import type { Dice } from './dice.ts'
import { TRANSCRIBERS } from './premises.ts'

/** What a caller means to do, and what happens to it on the way; decided before it comes. */
export interface Script {
  readonly tenant: string
  readonly user: string | null
  readonly kind: 'chat' | 'greedy' | 'voice' | 'tools' | 'transcribed' | 'transcription'
  readonly turns: number
  /** Seconds of each answer. */
  readonly answers: readonly number[]
  readonly transcriber: string
  /** In which turn what goes wrong. */
  readonly mishap: 'none' | 'drop' | 'double' | 'lost' | 'hang_up'
  readonly mishapIn: number
  /** Pauses between turns, ms. */
  readonly pauses: readonly number[]
}

const WORDS = [speech.weather, speech.order].map((words) => Buffer.concat([pcm(words), silence(1_200)]))
const KINDS = ['chat', 'chat', 'chat', 'greedy', 'greedy', 'voice', 'tools', 'transcribed', 'transcription'] as const
const MISHAPS = ['none', 'none', 'none', 'none', 'drop', 'drop', 'double', 'lost', 'hang_up'] as const

export function scriptOf(dice: Dice, tenants: readonly string[], users: number): Script {
  const kind = dice.pick(KINDS)
  const turns = kind === 'greedy' ? 7 : kind === 'chat' ? dice.whole(1, 4) : dice.whole(1, 2)
  return {
    tenant: dice.pick(tenants),
    user: dice.chance(0.6) ? `user ${dice.whole(1, users)}` : null,
    kind,
    turns,
    answers: Array.from({ length: turns }, () => (kind === 'greedy' ? dice.whole(6, 9) : dice.whole(1, 3))),
    transcriber: dice.pick(TRANSCRIBERS),
    mishap: dice.pick(MISHAPS),
    mishapIn: dice.whole(0, turns - 1),
    pauses: Array.from({ length: turns }, () => dice.whole(100, 1_500)),
  }
}

/** Longest a caller waits for what it has asked for, ms. */
const PATIENCE_MS = 9_000

/** The first event that is wanted from `from` on; null when the line is lost or patience runs out. */
export async function awaited(
  caller: Caller,
  wanted: (event: Event) => boolean,
  from: number,
  patience = PATIENCE_MS,
): Promise<Event | null> {
  const late = Promise.withResolvers<null>()
  const timer = setTimeout(() => late.resolve(null), patience)
  const found = await Promise.race([caller.until(wanted, from).catch(() => null), late.promise])
  clearTimeout(timer)
  return found
}

const isOver = ({ type, action }: Event) =>
  type === 'response.done' || type === 'error' || (type === 'parley.throttled' && action === 'refused')

function say(caller: Caller, text: string): void {
  const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text }] }
  caller.send({ type: 'conversation.item.create', item })
  caller.send({ type: 'response.create' })
}

/** What a caller says of its session before it says anything else. */
export async function prepare(caller: Caller, script: Script): Promise<void> {
  const from = caller.events.length
  const type = script.kind === 'transcription' ? 'transcription' : 'realtime'
  const audio = { input: { transcription: { model: script.transcriber } } }
  const tools = [{ type: 'function', name: 'look', parameters: {} }]
  const fields = script.kind === 'tools' ? { tools } : script.kind === 'transcribed' ? { audio } : {}
  caller.send({ type: 'session.update', session: { type, ...fields } })
  await awaited(caller, ({ type }) => type === 'session.updated' || type === 'error', from)
}

/** One turn, begun; the promise resolves when it is over in whatever way. */
export async function turn(caller: Caller, script: Script, n: number): Promise<void> {
  const from = caller.events.length
  switch (script.kind) {
    case 'chat':
    case 'greedy':
      say(caller, n % 2 === 0 ? `speak for ${script.answers[n]} s` : 'say: That is all there is to say about it.')
      await awaited(caller, isOver, from)
      return
    case 'voice':
    case 'transcribed':
      caller.speak(WORDS[n % WORDS.length] as Buffer)
      await awaited(caller, isOver, from)
      return
    case 'transcription':
      caller.speak(WORDS[n % WORDS.length] as Buffer)
      await awaited(caller, ({ type }) => type.endsWith('input_audio_transcription.completed'), from)
      return
    case 'tools': {
      say(caller, 'call look {"at":"the sky"}')
      if ((await awaited(caller, isOver, from))?.type !== 'response.done') return
      const call = caller.events.slice(from).find(({ type }) => type === 'response.function_call_arguments.done')
      if (call === undefined) return
      const next = caller.events.length
      const item = { type: 'function_call_output', call_id: call.call_id, output: 'It is blue.' }
      caller.send({ type: 'conversation.item.create', item })
      caller.send({ type: 'response.create' })
      await awaited(caller, isOver, next)
    }
  }
}
