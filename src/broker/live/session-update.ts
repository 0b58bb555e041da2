import { FaultError } from '../../faults.ts'
import type { Message } from '../../frames/peer.ts'
import { child, type Loose, text } from '../lines/provider-events.ts'
import type { SessionMoney } from '../money/session-money.ts'
import type { Bought } from '../money/till.ts'

/**
 * A caller's `session.update` on its way to the provider: as it came wherever it can. The model is fixed once connected: its
 * own name is no change, and is left out where the provider has another name for it. Throws the fault to refuse it with.
 */
export function updateFor(
  event: Loose,
  message: Message,
  model: string,
  bought: Bought | null,
  money: SessionMoney | null,
): Message {
  const session = child(event, 'session')
  const asked = text(session, 'model')
  if (asked !== null && asked !== model) {
    throw new FaultError('forbidden', `The model of this session is '${model}' and cannot be changed.`, {
      param: 'session.model',
    })
  }
  if (money?.takesUpdates === false) {
    throw new FaultError(
      'rate_limited',
      'Too many updates wait for an answer: send the next one after session.updated.',
    )
  }
  const unpriced = money?.unpriced(event) ?? null
  if (unpriced !== null) {
    throw new FaultError('model_not_priced', `No price is known for the model '${unpriced.slice(0, 64)}'.`, {
      param: 'session.audio.input.transcription.model',
    })
  }
  if (asked === null || bought === null || bought.model === model) return money?.update(event, message) ?? message
  const { model: _model, ...rest } = session ?? {}
  const renamed = { ...event, session: rest }
  return money?.update(renamed, asMessage(renamed)) ?? asMessage(renamed)
}

const asMessage = (event: Loose): Message => ({ text: Buffer.from(JSON.stringify(event)), frame: null })
