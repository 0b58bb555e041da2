import { describe, expect, test } from 'vitest'
import { JOURNAL_LIMIT, Journal } from '../../src/broker/live/journal.ts'

const message = (id: string, role: string, text: string) => ({
  id,
  type: 'message',
  role,
  content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }],
})

describe('the journal of a conversation', () => {
  test('S5 puts back every turn in its order, audio turns by their transcripts', () => {
    const journal = new Journal()
    journal.saw({ id: 'u1', type: 'message', role: 'user', content: [{ type: 'input_audio', transcript: null }] })
    journal.saw({
      id: 'a1',
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_audio', transcript: 'Hello there.' }],
    })
    journal.transcribed('u1', 'Good morning.')
    journal.saw(message('s0', 'system', 'Be brief.'), 'root')
    expect(journal.replay()).toEqual([
      { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'Be brief.' }] },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Good morning.' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hello there.' }] },
    ])
  })

  test('S5 keeps of an interrupted answer only what was heard', () => {
    const journal = new Journal()
    journal.saw(message('a1', 'assistant', 'one two three four'))
    journal.truncated('a1', 500, 1_000)
    expect(journal.replay()).toEqual([
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'one two' }] },
    ])
  })

  test('S5 a call goes back only with its answer, an answer only with its call', () => {
    const journal = new Journal()
    journal.saw({ id: 'c1', type: 'function_call', call_id: 'k1', name: 'f', arguments: '{"a":1}' })
    journal.saw({ id: 'c2', type: 'function_call', call_id: 'k2', name: 'f', arguments: '{}' })
    journal.saw({ id: 'o1', type: 'function_call_output', call_id: 'k1', output: 'yes' })
    journal.saw({ id: 'o9', type: 'function_call_output', call_id: 'k9', output: 'stray' })
    expect(journal.replay()).toEqual([
      { type: 'function_call', call_id: 'k1', name: 'f', arguments: '{"a":1}' },
      { type: 'function_call_output', call_id: 'k1', output: 'yes' },
    ])
  })

  test('S6 stays bounded and says what it has folded away', () => {
    const journal = new Journal()
    for (let i = 0; i < 1_000; i++) journal.saw(message(`m${i}`, 'user', 'x'.repeat(1_000)))
    const size = JSON.stringify(journal.items()).length
    expect(size).toBeLessThan(JOURNAL_LIMIT * 1.2)
    expect(JSON.stringify(journal.replay()[0])).toMatch(/first \d+ turns/)
  })

  test('S5 a deleted turn stays away, and a copy is equal', () => {
    const journal = new Journal()
    journal.saw(message('a', 'user', 'one'))
    journal.saw(message('b', 'user', 'two'))
    journal.deleted('a')
    expect(Journal.from(journal.items()).replay()).toEqual(journal.replay())
    expect(journal.items().map((item) => item.id)).toEqual(['b'])
  })
})
