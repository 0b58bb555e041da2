import { describe, expect, test } from 'vitest'
import { TurnControl } from '../../src/broker/money/turn-control.ts'

const session = (turn_detection: object | null) => ({ type: 'realtime', audio: { input: { turn_detection } } })
const created = { type: 'session.created', session: session({ type: 'server_vad', create_response: true }) }
const off = { type: 'server_vad', create_response: false }
const on = { type: 'server_vad', create_response: true }

function taken(): TurnControl {
  const control = new TurnControl()
  control.updated(created)
  expect(control.take()).toMatchObject({ session: session(off) })
  return control
}

describe('who starts responses', () => {
  test('L3 taking over and giving back is told to the provider and to nobody else', () => {
    const control = taken()
    expect(control.updated({ type: 'session.updated', session: session(off) })).toEqual({ show: 'nothing' })
    expect(control.startsResponses).toBe(true)
    expect(control.giveBack()).toMatchObject({ session: session(on) })
    expect(control.updated({ type: 'session.updated', session: session(on) })).toEqual({ show: 'nothing' })
    expect(control.startsResponses).toBe(false)
  })

  test("L3 the caller's own view of the session stays as it set it", () => {
    const control = taken()
    control.updated({ type: 'session.updated', session: session(off) })
    expect(control.outgoing({ type: 'session.update', session: { type: 'realtime', instructions: 'x' } })).toBeNull()
    const shown = control.updated({ type: 'session.updated', session: { ...session(off), instructions: 'x' } })
    expect(shown).toEqual({ show: { type: 'session.updated', session: { ...session(on), instructions: 'x' } } })
  })

  test("L3 a caller's update that arrives before the answer to the broker's own is told apart from it", () => {
    const control = taken()
    control.outgoing({ type: 'session.update', session: { type: 'realtime', instructions: 'x' } })
    expect(control.updated({ type: 'session.updated', session: session(off) })).toEqual({ show: 'nothing' })
    expect(control.updated({ type: 'session.updated', session: session(off) })).not.toEqual({ show: 'nothing' })
  })

  test('L3 a caller that sets its own detection while the broker starts responses gets what it set, later', () => {
    const control = taken()
    control.updated({ type: 'session.updated', session: session(off) })
    const sent = control.outgoing({ type: 'session.update', session: session({ type: 'semantic_vad' }) })
    expect(sent).toMatchObject({ session: session({ type: 'semantic_vad', create_response: false }) })
    control.updated({ type: 'session.updated', session: session({ type: 'semantic_vad', create_response: false }) })
    expect(control.giveBack()).toMatchObject({ session: session({ type: 'semantic_vad', create_response: true }) })
  })

  test('L3 a caller that starts its own responses keeps doing so', () => {
    const control = new TurnControl()
    control.updated({ type: 'session.created', session: session(off) })
    expect(control.take()).toBeNull()
    expect(control.startsResponses).toBe(false)
    control.turnClosed('item')
    expect(control.mustStart('item')).toBe(false)
  })

  test('L3 only turns that detection has closed are answered by themselves, each once', () => {
    const control = taken()
    control.updated({ type: 'session.updated', session: session(off) })
    expect(control.mustStart('typed')).toBe(false)
    control.turnClosed('spoken')
    expect(control.mustStart('spoken')).toBe(true)
    expect(control.mustStart('spoken')).toBe(false)
  })

  test("L3 an error about the broker's update is kept from the caller, one about its own is not", () => {
    const control = taken()
    control.outgoing({ type: 'session.update', event_id: 'mine', session: { type: 'realtime' } })
    expect(control.failed({ type: 'error', error: { event_id: 'mine' } })).toBe(false)
    expect(control.failed({ type: 'error', error: { event_id: 'parley_turns_1' } })).toBe(true)
    expect(control.failed({ type: 'error', error: { event_id: null, param: 'session.voice' } })).toBe(false)
  })

  test('L3 until the provider has confirmed, it does as before: no turn is answered twice, and none by nobody', () => {
    const control = taken()
    control.turnClosed('before')
    expect(control.mustStart('before')).toBe(false)
    control.updated({ type: 'session.updated', session: session(off) })
    control.giveBack()
    control.turnClosed('between')
    expect(control.mustStart('between')).toBe(true)
    control.updated({ type: 'session.updated', session: session(on) })
    control.turnClosed('after')
    expect(control.mustStart('after')).toBe(false)
  })

  test("L3 an answer to the caller's update shows its own view although control was given back meanwhile", () => {
    const control = taken()
    control.updated({ type: 'session.updated', session: session(off) })
    control.outgoing({ type: 'session.update', session: { type: 'realtime', instructions: 'x' } })
    control.giveBack()
    expect(control.updated({ type: 'session.updated', session: session(off) })).toMatchObject({
      show: { session: session(on) },
    })
    expect(control.updated({ type: 'session.updated', session: session(on) })).toEqual({ show: 'nothing' })
  })

  test('L3 control that is taken again before giving it back was confirmed is told again', () => {
    const control = taken()
    control.updated({ type: 'session.updated', session: session(off) })
    control.giveBack()
    expect(control.take()).toMatchObject({ session: session(off) })
  })

  test('L3 what the caller is just changing is not put back by the broker', () => {
    const control = new TurnControl()
    control.updated(created)
    control.outgoing({ type: 'session.update', session: session({ type: 'server_vad', threshold: 0.9 }) })
    expect(control.take()).toMatchObject({
      session: session({ type: 'server_vad', threshold: 0.9, create_response: false }),
    })
    const turnedOff = new TurnControl()
    turnedOff.updated(created)
    turnedOff.outgoing({ type: 'session.update', session: session(null) })
    expect(turnedOff.take()).toBeNull()
  })

  test('L3 an update that the provider refuses has changed nothing', () => {
    const control = taken()
    control.updated({ type: 'session.updated', session: session(off) })
    control.outgoing({ type: 'session.update', event_id: 'bad', session: session({ ...off, threshold: 7 }) })
    expect(control.startsResponses).toBe(false)
    control.failed({ type: 'error', error: { event_id: 'bad' } })
    expect(control.startsResponses).toBe(true)
  })

  test('L5 a transcriber that a caller has asked for counts until its update is answered, or refused', () => {
    const control = taken()
    const asking = (event_id: string, model: string) =>
      control.outgoing({
        type: 'session.update',
        event_id,
        session: { audio: { input: { transcription: { model } } } },
      })
    asking('first', 'gpt-4o-transcribe')
    asking('second', 'whisper-1')
    expect(control.transcribersAsked).toEqual(new Set(['gpt-4o-transcribe', 'whisper-1']))
    control.updated({ type: 'session.updated', session: session(off) })
    expect(control.transcribersAsked.size).toBe(2)
    control.failed({ type: 'error', error: { event_id: 'second' } })
    expect(control.transcribersAsked).toEqual(new Set(['gpt-4o-transcribe']))
    control.updated({ type: 'session.updated', session: session(off) })
    expect(control.transcribersAsked).toEqual(new Set())
  })
})
