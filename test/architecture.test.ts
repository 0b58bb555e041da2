import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const files = globSync(['src/**/*.ts', 'workers/**/*.ts'], { cwd: root })

/** What a file imports: paths inside the repository, and names of packages. */
function importsOf(file: string): { inside: string[]; packages: string[] } {
  const text = readFileSync(join(root, file), 'utf8')
  const names = [...text.matchAll(/(?:from|import)\s+'([^']+)'/g)].map((match) => match[1] as string)
  const inside = names
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(root, join(root, dirname(file), name)))
  return { inside, packages: names.filter((name) => !name.startsWith('.')) }
}

const folderOf = (file: string) => file.split('/')[1] ?? ''

/** Arrows point inwards: what each folder of the core may know. */
const CORE: Record<string, readonly string[]> = {
  session: ['session', 'units.ts'],
  meter: ['meter', 'units.ts'],
  frames: ['frames', 'config', 'clock.ts', 'units.ts', 'faults.ts'],
  wire: ['wire'],
  media: ['media', 'meter', 'units.ts'],
}

describe('the architecture', () => {
  test.each(Object.keys(CORE))('R5 src/%s knows only what it may', (folder) => {
    for (const file of files.filter((f) => f.startsWith(`src/${folder}/`))) {
      for (const target of importsOf(file).inside) {
        expect(CORE[folder], `${file} imports ${target}`).toContain(folderOf(target))
      }
    }
  })

  test('S1 the session core knows no socket, store, timer, clock or environment', () => {
    for (const file of files.filter((f) => f.startsWith('src/session/'))) {
      const text = readFileSync(join(root, file), 'utf8')
      expect(importsOf(file).packages, file).toEqual([])
      expect(text, file).not.toMatch(/setTimeout|setInterval|Date\.now|performance\.now|process\./)
    }
  })

  test('M2 the meter knows no socket, store, timer, clock or environment', () => {
    for (const file of files.filter((f) => f.startsWith('src/meter/'))) {
      const text = readFileSync(join(root, file), 'utf8')
      for (const name of importsOf(file).packages) expect(name, file).toBe('zod')
      expect(text, file).not.toMatch(/setTimeout|setInterval|Date\.now|performance\.now|process\./)
    }
  })

  test('R4 only the configuration reads the environment, only the clock reads the time', () => {
    for (const file of files) {
      const text = readFileSync(join(root, file), 'utf8')
      if (!file.startsWith('src/config/')) expect(text, file).not.toMatch(/process\.env/)
      // A page has a clock of its own.
      if (file !== 'src/clock.ts' && file !== 'src/widget/page-clock.ts')
        expect(text, file).not.toMatch(/Date\.now\(|new Date\(\)|performance\.now\(/)
    }
  })

  test('only the outbound fetcher, the dialling of providers and the calls to them make requests', () => {
    const doors = ['src/net/fetcher.ts', 'src/frames/upgrade.ts', 'src/calls/provider-http.ts']
    // These run in a browser: one asks the page's own backend, the other the server that the page came from.
    doors.push('src/widget/secret.ts', 'src/console/api.ts')
    for (const file of files.filter((f) => !doors.includes(f))) {
      const text = readFileSync(join(root, file), 'utf8')
      expect(importsOf(file).packages, file).not.toContain('undici')
      expect(text, file).not.toMatch(/(?<![.\w])fetch\(|globalThis\.fetch|\bhttps?\.(request|get)\(/)
      // `request` or `get` by name, or a whole module that has them.
      expect(text, file).not.toMatch(/import (type )?\{[^}]*\b(?<!type )(request|get)\b[^}]*\} from '(node:)?https?'/)
      expect(text, file).not.toMatch(/import (\* as )?\w+ from '(node:)?(https?|http2)'/)
    }
  })

  test('V4 no frame meets a span: what carries frames knows nothing of traces', () => {
    const carriers = [
      'caller-intake',
      'provider-intake',
      'caller-line',
      'provider-line',
      'outbox',
      'event-ring',
      'splice',
    ]
    const road = files.filter(
      (f) => f.startsWith('src/frames/') || carriers.some((name) => f === `src/broker/${name}.ts`),
    )
    expect(road.length).toBeGreaterThan(carriers.length)
    for (const file of road) {
      const { inside, packages } = importsOf(file)
      expect([...inside.map(folderOf), ...packages], file).not.toContain('traces')
      expect(packages.join(' '), file).not.toContain('opentelemetry')
    }
  })

  test('only the storage speaks to buckets, by the package of their maker', () => {
    for (const file of files.filter((f) => !f.startsWith('src/storage/'))) {
      expect(importsOf(file).packages.join(' '), file).not.toContain('@aws-sdk')
    }
  })

  test('V1 the widget knows itself, and the wire as types only', () => {
    for (const file of files.filter((f) => f.startsWith('src/widget/'))) {
      const text = readFileSync(join(root, file), 'utf8')
      expect(importsOf(file).packages, file).toEqual([])
      for (const target of importsOf(file).inside) {
        expect(['widget', 'wire'], `${file} imports ${target}`).toContain(folderOf(target))
      }
      for (const line of text.match(/^import .* from '\.\.\/+(?:\.\.\/)*wire\/.*$/gm) ?? []) {
        expect(line, file).toMatch(/^import type /)
      }
    }
  })

  test('V2 the console knows itself, the widget’s elements and clock, and the wire as types only', () => {
    for (const file of files.filter((f) => f.startsWith('src/console/'))) {
      const text = readFileSync(join(root, file), 'utf8')
      for (const name of importsOf(file).packages) expect(name, file).toBe('chart.js')
      for (const target of importsOf(file).inside) {
        const isShared = target === 'src/widget/dom.ts' || target === 'src/widget/page-clock.ts'
        expect(isShared || ['console', 'wire'].includes(folderOf(target)), `${file} imports ${target}`).toBe(true)
      }
      for (const line of text.match(/^import .* from '\.\.\/wire\/.*$/gm) ?? [])
        expect(line, file).toMatch(/^import type /)
      expect(text, file).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write/)
    }
  })

  test('V1 the call, its transcript and its sound are pure', () => {
    const pure = [
      'call',
      'call-steps',
      'opening',
      'live',
      'away',
      'received',
      'speech',
      'transcript',
      'endings',
      'look',
      'strings',
      'resampler',
      'jitter-buffer',
    ]
    for (const name of pure) {
      const text = readFileSync(join(root, `src/widget/${name}.ts`), 'utf8')
      expect(text, name).not.toMatch(/setTimeout|setInterval|Date\.now|performance\.|\b(document|navigator|window)\.\w/)
    }
  })

  test('R4 no file outgrows one sitting', () => {
    for (const file of files) {
      expect(readFileSync(join(root, file), 'utf8').split('\n').length, file).toBeLessThanOrEqual(400)
    }
  })

  test('R5 every package the owner asked for is in real use', () => {
    const used = new Set(files.flatMap((file) => importsOf(file).packages))
    const asked = [
      'ws',
      'hono/body-limit',
      '@ffmpeg-installer/ffmpeg',
      'fluent-ffmpeg',
      'node-vad',
      'bullmq',
      'ioredis',
    ]
    for (const name of asked) expect([...used]).toContain(name)
  })
})
