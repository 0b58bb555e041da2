import { chmodSync } from 'node:fs'
import installer from '@ffmpeg-installer/ffmpeg'
import { expect, test } from 'vitest'
import { findFfmpeg } from '../../workers/tools/find-ffmpeg.ts'
import { put } from '../support/sound.ts'
import { TempFolder } from '../support/temp-folder.ts'

/** A program that tells a version as ffmpeg does. */
function impostor(folder: string, version: string, formats: string): string {
  const file = put(
    folder,
    'ffmpeg',
    `#!/bin/sh\necho 'ffmpeg version ${version} Copyright'\necho 'libavformat ${formats}'\n`,
  )
  chmodSync(file, 0o755)
  return file
}

function listener() {
  const warnings: string[] = []
  return { warnings, log: { warn: (_: unknown, text: string) => void warnings.push(text) } }
}

test('Q3 a system ffmpeg from 5.1 on is taken without a word', async () => {
  using folder = new TempFolder()
  const file = impostor(folder.path, 'N-109000-gabcdef', '    59. 27.100 / 59. 27.100')
  const { warnings, log } = listener()
  expect(await findFfmpeg(undefined, folder.path, log as never)).toMatchObject({ file, from: 'system' })
  expect(warnings).toEqual([])
})

test('Q3 an older one of the system, or none, gives way to that of the package, with a warning', async () => {
  using folder = new TempFolder()
  impostor(folder.path, '4.4.2', '    58. 76.100 / 58. 76.100')
  const { warnings, log } = listener()
  expect(await findFfmpeg(undefined, folder.path, log as never)).toMatchObject({
    file: installer.path,
    from: 'package',
  })
  expect(await findFfmpeg(undefined, undefined, log as never)).toMatchObject({ from: 'package' })
  expect(warnings).toHaveLength(2)
})

test('Q3 a configured one stands before all others, and one that is none is told at once', async () => {
  using folder = new TempFolder()
  const { log } = listener()
  const configured = await findFfmpeg(installer.path, folder.path, log as never)
  expect(configured).toMatchObject({ file: installer.path, from: 'configured' })
  await expect(findFfmpeg('/bin/true', folder.path, log as never)).rejects.toThrow('is no ffmpeg')
})
