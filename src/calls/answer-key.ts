import { createHash } from 'node:crypto'
import type { TranscriptionCall, VisionCall } from './media-provider.ts'

/** Grows when answers of the same call would be read in another way. */
const VERSION = 1

/** What a transcription's answer depends on: the file and every option, and nothing of where the file lies. */
export function transcriptionKey(call: TranscriptionCall & { readonly sha256: string }): string {
  const { sha256, model, mime, language, prompt, temperature, format, timestamps, logprobs, more } = call
  const options = { model, mime, language, prompt, temperature, format, logprobs, more: more ?? [] }
  return hash(['transcription', sha256, { ...options, timestamps: [...timestamps].sort() }])
}

/** The same of a description. `sha256` stands for all of its pictures, in order. */
export function visionKey(call: VisionCall & { readonly sha256: string }): string {
  const { sha256, model, prompt, pictures, text, maxOutputTokens, logprobs } = call
  const sent = pictures.map(({ mime, detail }) => [mime, detail])
  return hash(['vision', sha256, { model, prompt, text, maxOutputTokens, logprobs: logprobs ?? false, sent }])
}

const hash = (parts: readonly unknown[]): string =>
  createHash('sha256')
    .update(JSON.stringify([VERSION, ...parts]))
    .digest('hex')
