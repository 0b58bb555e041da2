/** Bars on either side of the middle, and how far apart they are, CSS pixels. */
const BARS = 22
const GAP = 7
const WIDTH = 3
/** Share of the way to its height that a bar goes with each picture. */
const EASE = 0.35
/** What is quieter is drawn as nothing, dB below full scale; the loudest speech is some 10 dB below. */
const FLOOR_DB = 52
const CEILING_DB = 12
/** For so long after its last sound the answer has the meter to itself, levels. */
const HOLD = 6
/** With reduced motion, levels between two pictures: 200 ms. */
const CALM_EVERY = 5

/** Draws what is really heard and said: the newest level in the middle, older ones further out. */
export class Meter {
  readonly canvas: HTMLCanvasElement
  readonly #levels = new Float32Array(BARS)
  readonly #heights = new Float32Array(BARS)
  readonly #isAnswer: boolean[] = Array.from({ length: BARS }, () => false)
  readonly #calm = matchMedia('(prefers-reduced-motion: reduce)')
  #hold = 0
  #frame = 0
  #waited = 0

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas
  }

  /** 40 ms of somebody, 0 to 1. */
  push(who: 'user' | 'assistant', level: number): void {
    if (who === 'assistant') {
      if (loudness(level) > 0) this.#hold = HOLD
      if (this.#hold === 0) return
      this.#hold--
    } else if (this.#hold > 0) return
    if (this.#calm.matches) return this.#pushCalmly(who, level)
    this.#levels.copyWithin(1, 0)
    this.#levels[0] = loudness(level)
    this.#isAnswer.unshift(who === 'assistant')
    this.#isAnswer.pop()
    this.#draw()
  }

  /** Nothing is heard any more. */
  rest(): void {
    this.#levels.fill(0)
    this.#draw()
  }

  /** Without anything that travels: all bars together, five times a second. */
  #pushCalmly(who: 'user' | 'assistant', level: number): void {
    this.#waited = (this.#waited + 1) % CALM_EVERY
    if (this.#waited !== 0) return
    for (let i = 0; i < BARS; i++) {
      this.#levels[i] = loudness(level) * (1 - i / BARS)
      this.#heights[i] = this.#levels[i] as number
      this.#isAnswer[i] = who === 'assistant'
    }
    this.#draw()
  }

  #draw(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#paint())
  }

  #paint(): void {
    this.#frame = 0
    const { canvas } = this
    const { clientWidth: width, clientHeight: height } = canvas
    const context = canvas.getContext('2d')
    if (context === null || width === 0) return
    const scale = devicePixelRatio
    if (canvas.width !== width * scale || canvas.height !== height * scale) {
      canvas.width = width * scale
      canvas.height = height * scale
    }
    const style = getComputedStyle(canvas)
    const colours = {
      rest: style.getPropertyValue('--rest'),
      user: style.getPropertyValue('--accent'),
      assistant: style.getPropertyValue('--voice'),
    }
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.clearRect(0, 0, width, height)
    context.lineCap = 'round'
    context.lineWidth = WIDTH
    let isMoving = false
    for (let i = 0; i < BARS; i++) {
      const target = this.#levels[i] as number
      const last = this.#heights[i] as number
      const next = Math.abs(target - last) < 0.004 ? target : last + (target - last) * EASE
      this.#heights[i] = next
      if (next !== target) isMoving = true
      const fade = Math.cos((i / BARS) * (Math.PI / 2))
      const half = Math.max(0.01, (next * fade * (height - WIDTH * 2)) / 2)
      context.strokeStyle = next < 0.02 ? colours.rest : this.#isAnswer[i] === true ? colours.assistant : colours.user
      context.globalAlpha = 0.35 + 0.65 * fade
      for (const side of i === 0 ? [0] : [-1, 1]) {
        const x = width / 2 + side * i * GAP
        context.beginPath()
        context.moveTo(x, height / 2 - half)
        context.lineTo(x, height / 2 + half)
        context.stroke()
      }
    }
    if (isMoving) this.#draw()
  }
}

/** 0 for silence, 1 for loud speech, as an ear has it: by decibels. */
function loudness(level: number): number {
  if (level <= 0) return 0
  const db = 20 * Math.log10(level)
  return Math.min(1, Math.max(0, (db + FLOOR_DB) / (FLOOR_DB - CEILING_DB)))
}
