import { type Attributes, type Span, SpanStatusCode } from '@opentelemetry/api'
import type { ProviderConfig } from '../config/config.ts'
import type { LedgerRecord } from '../meter/record.ts'
import { MODALITIES, sumTokens, tokensIn, tokensOut, type Usage } from '../meter/usage.ts'

/**
 * What is bought, in the words of OpenTelemetry's conventions for generative AI. Of what they have settled `generate_content`
 * is nearest to a realtime response; for transcription they have no word yet, this is the one they discuss.
 */
export type Operation = 'generate_content' | 'chat' | 'speech_to_text'

/** The place where something is bought: its name in the policy file, and the provider's own name of the model. */
export interface Place {
  readonly provider: string
  readonly type: ProviderConfig['type'] | undefined
  readonly model: string
}

/** What is known when a call begins, which is what a sampler may decide by. `model`: as the caller calls it. */
export function callAttributes(operation: Operation, model: string, place: Place): Attributes {
  return {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': providerName(place),
    'gen_ai.request.model': model,
    'gen_ai.response.model': place.model,
    'parley.provider': place.provider,
  }
}

/** Azure has a word of its own; a provider that only speaks like OpenAI is called what the operator calls it. */
function providerName({ provider, type }: Place): string {
  if (type === 'azure') return 'azure.ai.openai'
  return type === undefined || type === 'openai-compatible' ? provider : type
}

/** What was bought in the end: the very numbers of its record in the ledger. */
export function recordAttributes({ usage, ...record }: LedgerRecord): Attributes {
  return {
    'gen_ai.response.id': record.providerId,
    'gen_ai.response.model': record.providerModel,
    'gen_ai.response.finish_reasons': [record.status],
    ...usageAttributes(usage),
    'parley.record.id': record.id,
    'parley.record.basis': record.basis,
    'parley.cost.nano_usd': record.cost,
    'parley.cost.estimated': record.estimated,
    'parley.cost.price_row': record.priceRow,
    'parley.weighted_tokens': record.weighted,
  }
}

/** A modality that was not used is left out; tokens whose modality nobody told stand in the sums alone. */
export function usageAttributes(usage: Usage): Attributes {
  const attributes: Attributes = {
    'gen_ai.usage.input_tokens': tokensIn(usage),
    'gen_ai.usage.output_tokens': tokensOut(usage),
    'gen_ai.usage.cache_read.input_tokens': sumTokens(usage.cached) + usage.cachedUnsplit,
  }
  for (const modality of MODALITIES) {
    if (usage.in[modality] > 0) attributes[`gen_ai.usage.${modality}.input_tokens`] = usage.in[modality]
    if (usage.out[modality] > 0) attributes[`gen_ai.usage.${modality}.output_tokens`] = usage.out[modality]
  }
  if (usage.audioMs > 0) attributes['parley.usage.audio_ms'] = usage.audioMs
  return attributes
}

/** Ends the span of a call with what it came to. */
export function endWith(span: Span, record: LedgerRecord): void {
  span.setAttributes(recordAttributes(record))
  if (record.status === 'failed' || record.status === 'unknown') {
    span.setAttribute('error.type', record.status)
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}
