import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { createWorker, OEM, PSM, type Worker } from 'tesseract.js'
import type { Box } from '../../src/media/picture/rule.ts'

/** One reading of a page. */
export interface Reading {
  readonly text: string
  readonly words: readonly { readonly text: string; readonly confidence: number; readonly box: Box }[]
}

/** How a page is laid out: found out by the reader, or taken to be one even block. */
const LAYOUTS = { page: PSM.AUTO, block: PSM.SINGLE_BLOCK } as const
export type Layout = keyof typeof LAYOUTS

/** The trained data lies in its package; nothing is ever fetched or kept. */
const MODEL = '@tesseract.js-data/eng/4.0.0_best_int/eng.traineddata.gz'

/** A reader of printed English, in a thread of its own. */
export class Recogniser implements AsyncDisposable {
  readonly #worker: Worker

  constructor(worker: Worker) {
    this.#worker = worker
  }

  async read(png: Buffer, layout: Layout): Promise<Reading> {
    await this.#worker.setParameters({ tessedit_pageseg_mode: LAYOUTS[layout], user_defined_dpi: '300' })
    const { data } = await this.#worker.recognize(png, {}, { text: true, blocks: true })
    const lines = (data.blocks ?? []).flatMap((block) => block.paragraphs).flatMap((paragraph) => paragraph.lines)
    const words = lines
      .flatMap((line) => line.words)
      .map(({ text, confidence, bbox: { x0, y0, x1, y1 } }) => {
        return { text, confidence, box: { left: x0, top: y0, width: x1 - x0, height: y1 - y0 } }
      })
    return { text: data.text.trim(), words }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

export async function openRecogniser(): Promise<Recogniser> {
  // A folder, not a URL: the library would fetch from there.
  const langPath = dirname(createRequire(import.meta.url).resolve(MODEL))
  return new Recogniser(await createWorker('eng', OEM.LSTM_ONLY, { cacheMethod: 'none', langPath }))
}
