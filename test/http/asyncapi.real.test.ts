import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAULTS, type Fault, type FaultCode } from '../../src/faults.ts'
import { liveDocument } from '../../src/http/live-document.ts'
import { ParleyClientEvent, ParleyServerEvent } from '../../src/wire/parley-events.ts'
import { Parley } from '../support/parley.ts'

interface Message {
  name: string
  summary: string
  payload: { properties: Record<string, { const?: string }>; required: string[] }
}
interface Live {
  channels: { realtime: { address: string; messages: object; 'x-close-codes': { code: number; advice?: string }[] } }
  operations: Record<string, { action: string; messages: { $ref: string }[] }>
  components: { messages: Record<string, Message> }
}

const document = JSON.parse(JSON.stringify(liveDocument())) as Live

describe('the document of the live door', () => {
  let parley: Parley
  beforeAll(async () => {
    parley = await Parley.start()
  })
  afterAll(() => parley[Symbol.asyncDispose]())

  test('V3 is what the repository has and the server serves: run `npm run openapi` after a change', async () => {
    const kept = JSON.parse(readFileSync(new URL('../../asyncapi.json', import.meta.url), 'utf8'))
    expect(document).toEqual(kept)
    expect(await (await fetch(`${parley.url}/asyncapi.json`)).json()).toEqual(kept)
  })

  test('V3 every event of Parley’s own is in it, in the direction in which it goes', () => {
    const named = (operation: string) =>
      document.operations[operation]?.messages.map(({ $ref }) => $ref.split('/').at(-1) ?? '')
    expect(named('tell')).toEqual(['openai.server', ...ParleyServerEvent.options.map(({ shape }) => shape.type.value)])
    expect(named('hear')).toEqual(['openai.client', ...ParleyClientEvent.options.map(({ shape }) => shape.type.value)])
    for (const message of Object.values(document.components.messages)) expect(message.summary).toMatch(/\w/)
  })

  test('V3 every reference leads somewhere', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1] ?? '')
    expect(refs.length).toBeGreaterThan(20)
    for (const ref of refs) {
      const target = ref.split('/').reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], document)
      expect(target, ref).toBeTypeOf('object')
    }
  })

  test('W4 every close code of the table of faults is in it, with what to do', () => {
    const codes = new Map(document.channels.realtime['x-close-codes'].map((each) => [each.code, each]))
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      const { close } = FAULTS[code] as Fault
      expect(codes.has(close), code).toBe(true)
      if (close >= 4_000) expect(codes.get(close)?.advice, code).toMatch(/stop|retry|resume/)
    }
  })
})
