import { heardTokens } from '../meter/conversation.ts'
import { hasTokenPrices } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { NO_TOKENS, NOTHING, type Usage } from '../meter/usage.ts'
import { ms, type Tokens, tokens } from '../units.ts'
import { promptOf, type TranscriptionCall, type VisionCall } from './media-provider.ts'

/** No text has more tokens than bytes; special tokens come on top. */
const OVERHEAD = 64
/** Output of a transcription model whose row does not say: the service's own limit (transcription.md §1.3). */
const MOST_TRANSCRIBED = tokens(2_000)
/** Output of a model whose row does not say. */
const MOST_WRITTEN = tokens(16_000)
/** The dearest a picture can be under any rule we know: 30,000 patches at 1.2, or eight tiles of the dearest kind. */
export const DEAREST_PICTURE = tokens(48_169)
/** About so many bytes of text are a token, for what was written and never counted. */
const BYTES_PER_TOKEN = 4

/** L5: what a transcription costs at the most. */
export function transcriptionAtMost(
  call: Pick<TranscriptionCall, 'duration' | 'prompt' | 'carry' | 'more'>,
  row: PriceRow,
): Usage {
  const audioMs = ms(Math.ceil(call.duration))
  if (!hasTokenPrices(row)) return { ...NOTHING, audioMs }
  const said = [promptOf(call) ?? '', ...(call.more ?? []).map(([, value]) => value)].join('\n')
  return {
    ...NOTHING,
    in: { ...NO_TOKENS, audio: heardTokens(audioMs, row), text: tokens(Buffer.byteLength(said) + OVERHEAD) },
    out: { ...NO_TOKENS, text: row.maxOut ?? MOST_TRANSCRIBED },
  }
}

/** M1: what a transcription used whose provider does not say. */
export function transcriptionLikely(
  call: Pick<TranscriptionCall, 'duration' | 'prompt' | 'carry'>,
  row: PriceRow,
  text: string,
): Usage {
  const audioMs = ms(Math.ceil(call.duration))
  if (!hasTokenPrices(row)) return { ...NOTHING, audioMs, estimated: true }
  return {
    ...NOTHING,
    in: { ...NO_TOKENS, audio: heardTokens(audioMs, row), text: textTokens(promptOf(call) ?? '') },
    out: { ...NO_TOKENS, text: textTokens(text) },
    estimated: true,
  }
}

/** L5: what a description costs at the most. */
export function visionAtMost(call: Pick<VisionCall, 'prompt' | 'text' | 'pictures' | 'maxOutputTokens'>): Usage {
  const bytes = Buffer.byteLength(call.prompt) + Buffer.byteLength(call.text ?? '')
  return seen(bytes + OVERHEAD, pictureTokens(call), call.maxOutputTokens)
}

/** M1: what a description used whose provider does not say. */
export function visionLikely(call: Pick<VisionCall, 'prompt' | 'text' | 'pictures'>, text: string): Usage {
  const read = textTokens(call.prompt) + textTokens(call.text ?? '')
  return { ...seen(read, pictureTokens(call), textTokens(text)), estimated: true }
}

/** L5: what a forwarded request costs at the most. `pictures`: tokens of the pictures in it; `answers`: how many. */
export function forwardAtMost(
  textBytes: number,
  pictures: number,
  maxOutput: number | null,
  answers: number,
  row: PriceRow,
): Usage {
  return seen(textBytes + OVERHEAD, pictures, (maxOutput ?? row.maxOut ?? MOST_WRITTEN) * answers)
}

/** M1: what a forwarded request used whose provider does not say. */
export function forwardLikely(text: string, pictures: number, written: number): Usage {
  return { ...seen(textTokens(text), pictures, written), estimated: true }
}

/** Pictures are sold at the price of text by the models that read them over HTTP. */
const seen = (text: number, pictures: number, written: number): Usage => ({
  ...NOTHING,
  in: { ...NO_TOKENS, text: tokens(text + pictures) },
  out: { ...NO_TOKENS, text: tokens(written) },
})

export const textTokens = (text: string): Tokens => tokens(Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN))

const pictureTokens = ({ pictures }: Pick<VisionCall, 'pictures'>): number =>
  pictures.reduce((sum, { tokens: known }) => sum + (known ?? DEAREST_PICTURE), 0)
