import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { createWorker, OEM, PSM } from 'tesseract.js'
import type { Box } from '../../src/media/picture/rule.ts'

/** One reading of a page. */
export interface Reading {
  readonly text: string
  readonly words: readonly { readonly text: string; readonly confidence: number; readonly box: Box }[]
}

/** How the page is taken to be laid out: found out, or one even block. What both agree on is no accident of the layout. */
export const LAYOUTS = [PSM.AUTO, PSM.SINGLE_BLOCK] as const

/** The trained data lies in its package; nothing is ever fetched or kept. */
const MODEL = '@tesseract.js-data/eng/4.0.0_best_int/eng.traineddata.gz'

/** Reads a picture, as PNG, once for each layout. */
export async function recognise(png: Buffer): Promise<Reading[]> {
  // A folder, not a URL: the library would fetch from there.
  const langPath = dirname(createRequire(import.meta.url).resolve(MODEL))
  const worker = await createWorker('eng', OEM.LSTM_ONLY, { cacheMethod: 'none', langPath })
  try {
    const readings: Reading[] = []
    for (const layout of LAYOUTS) {
      await worker.setParameters({ tessedit_pageseg_mode: layout, user_defined_dpi: '300' })
      const { data: page } = await worker.recognize(png, {}, { text: true, blocks: true })
      const lines = (page.blocks ?? []).flatMap((block) => block.paragraphs).flatMap((paragraph) => paragraph.lines)
      const words = lines
        .flatMap((line) => line.words)
        .map(({ text, confidence, bbox: { x0, y0, x1, y1 } }) => {
          return { text, confidence, box: { left: x0, top: y0, width: x1 - x0, height: y1 - y0 } }
        })
      readings.push({ text: page.text.trim(), words })
    }
    return readings
  } finally {
    await worker.terminate()
  }
}
