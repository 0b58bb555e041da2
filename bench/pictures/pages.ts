import { dice } from '../../fixtures/dice.ts'

/** A page as HTML, and how wide it is shown. */
export interface Page {
  readonly name: string
  readonly width: number
  /** Pixels a CSS pixel. */
  readonly scale: number
  readonly html: string
  /** Scanned: slanted, blurred, grey, noisy, in JPEG. */
  readonly isScan: boolean
}

const STORY = [
  'The harbour was quiet when the first boats came in. A man with a red lantern counted them from the end of the pier, and his daughter wrote every number down in a small book. Nobody had asked her to do it.',
  'When the wind turned to the north the fishermen stayed at home. They mended nets in the long shed behind the church, and they talked about prices, about the price of rope most of all.',
  'On market days people walked down from the hills with cheese, wool and honey. They sold what they could before noon, drank one glass in the inn, and were gone before the rain.',
  'It was the schoolmaster who first noticed that the numbers no longer agreed. Every spring the boats that left were more than the boats that came back, and yet no one was missing.',
]
const WORDS = STORY.join(' ')
  .replace(/[^A-Za-z ]/g, '')
  .split(' ')
const FONTS = ['serif', 'sans-serif', 'monospace', 'DejaVu Serif', 'DejaVu Sans', 'DejaVu Sans Mono']

type Draw = (font: string, size: number, random: () => number) => string

const pick = <T>(from: readonly T[], random: () => number): T => from[Math.floor(random() * from.length)] as T
const money = (random: () => number) => (random() * 900 + 1).toFixed(2)
const times = (n: number, draw: (i: number) => string) => Array.from({ length: n }, (_, i) => draw(i)).join('')
const paragraphs = (n: number) =>
  STORY.slice(0, n)
    .map((text) => `<p>${text}</p>`)
    .join('')

const KINDS: Readonly<Record<string, { draw: Draw; sizes: readonly number[]; width: number; isPaper: boolean }>> = {
  letter: {
    sizes: [13, 17, 24],
    width: 1_000,
    isPaper: true,
    draw: (font, size) =>
      `<div style="padding:90px;font:${size}px/1.4 ${font}"><h1>The book of boats</h1>${paragraphs(3)}</div>`,
  },
  columns: {
    sizes: [11, 14, 19],
    width: 1_100,
    isPaper: true,
    draw: (font, size) => `<div style="padding:50px;font:${size}px/1.35 ${font};columns:2">${paragraphs(4)}</div>`,
  },
  receipt: {
    sizes: [14, 20],
    width: 420,
    isPaper: true,
    draw: (font, size, random) =>
      `<div style="padding:20px;font:${size}px/1.5 ${font};text-transform:uppercase"><center>Harbour market</center>${times(12, () => `<div style="display:flex;justify-content:space-between"><span>${pick(WORDS, random)} ${pick(WORDS, random)}</span><span>${money(random)}</span></div>`)}</div>`,
  },
  invoice: {
    sizes: [12, 16],
    width: 1_000,
    isPaper: true,
    draw: (font, size, random) =>
      `<div style="padding:60px;font:${size}px/1.6 ${font}"><h1>Invoice ${Math.floor(random() * 1e6)}</h1><table width="100%">${times(12, () => `<tr><td>${pick(WORDS, random)} ${pick(WORDS, random)}</td><td>${money(random)}</td><td align="right">${money(random)}</td></tr>`)}</table></div>`,
  },
  dashboard: {
    sizes: [13, 15],
    width: 1_280,
    isPaper: false,
    draw: (font, size, random) =>
      `<div style="display:flex;font:${size}px/1.5 ${font}"><div style="background:#1f2937;color:#e5e7eb;padding:20px 40px">${['Overview', 'Sessions', 'Budgets', 'Queue'].map((word) => `<p>${word}</p>`).join('')}</div><div style="flex:1;background:#f5f6f8;padding:24px"><h2>Overview</h2>${times(9, () => `<p>${pick(WORDS, random)} ${pick(WORDS, random)} <b>${money(random)}</b> <span style="color:#777">${Math.floor(random() * 59)} minutes ago</span></p>`)}</div></div>`,
  },
  dark: {
    sizes: [14, 16],
    width: 1_100,
    isPaper: false,
    draw: (font, size) =>
      `<div style="background:#111827;color:#d1d5db;padding:30px;font:${size}px/1.5 ${font}"><h2>Notes</h2>${paragraphs(3)}</div>`,
  },
  chat: {
    sizes: [15, 17],
    width: 400,
    isPaper: false,
    draw: (font, size) =>
      `<div style="background:#e5ddd5;padding:16px;font:${size}px/1.35 ${font}">${STORY.flatMap((text) =>
        text.split('. '),
      )
        .map(
          (text, i) =>
            `<div style="margin:8px;max-width:75%;padding:8px 12px;border-radius:10px;${i % 2 === 0 ? 'background:#fff' : 'background:#dcf8c6;margin-left:auto'}">${text}</div>`,
        )
        .join('')}</div>`,
  },
  slide: {
    sizes: [30],
    width: 1_280,
    isPaper: false,
    draw: (font, size) =>
      `<div style="padding:80px;font:${size}px/1.6 ${font};height:500px"><h1>Quarter in numbers</h1><ul><li>Boats that left: 41</li><li>Boats that came back: 38</li></ul></div>`,
  },
}

/** Pages of every kind in several sizes and types, on screens of one and two pixels a CSS pixel. */
export function drawnPages(seed: number): Page[] {
  const random = dice(seed)
  return Object.entries(KINDS).flatMap(([kind, { draw, sizes, width, isPaper }]) =>
    sizes.flatMap((size) =>
      [1, 2].map((scale) => ({
        name: `${kind}-${size}-${scale}x`,
        width: Math.round(width * (0.9 + random() * 0.3)),
        scale,
        html: `<body style="margin:0;background:#fff">${draw(pick(FONTS, random), size, random)}</body>`,
        isScan: isPaper && random() < 0.5,
      })),
    ),
  )
}
