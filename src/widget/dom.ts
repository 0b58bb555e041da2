type Attributes = Readonly<Record<string, string | boolean>>

/** An element with its attributes and children. No markup is parsed, so that pages with trusted types need no exception. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children)
  return element
}

const SVG = 'http://www.w3.org/2000/svg'

/** Lines on a grid of 24 by 24. */
const ICONS = {
  microphone: 'M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3ZM5 11v1a7 7 0 0 0 14 0v-1M12 19v3',
  muted:
    'M15 9.3V6a3 3 0 0 0-5.9-.7M9 9v3a3 3 0 0 0 5.1 2.1M5 11v1a7 7 0 0 0 12 4.9M19 11v1c0 .7-.1 1.4-.3 2M12 19v3M3 3l18 18',
  end: 'M3 14c0-1 .3-2 1-2.6C6 9.6 8.9 9 12 9s6 .6 8 2.4c.7.6 1 1.6 1 2.6 0 .9-.7 1.6-1.6 1.5l-2.6-.4c-.7-.1-1.2-.7-1.3-1.4l-.1-1.4c-2.2-.6-4.6-.6-6.8 0l-.1 1.4c-.1.7-.6 1.3-1.3 1.4l-2.6.4C3.7 15.6 3 14.9 3 14Z',
  stop: 'M7 7h10v10H7Z',
  send: 'M5 12h14M13 6l6 6-6 6',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  info: 'M12 11v6M12 7v.5',
  alert: 'M12 6v7M12 17v.5',
} as const
export type IconName = keyof typeof ICONS

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS(SVG, 'path')
  path.setAttribute('d', ICONS[name])
  svg.append(path)
  return svg
}

/** Changes an icon without making a new one. */
export function setIcon(svg: SVGSVGElement, name: IconName): void {
  svg.firstElementChild?.setAttribute('d', ICONS[name])
}

/** Text is set only where it differs: a live region would say it again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}
