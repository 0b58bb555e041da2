import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Log } from '../../src/log.ts'
import { findProgram } from './find-program.ts'

/** libavformat of ffmpeg 5.1, the oldest that still gets its fixes: builds from a repository tell no other number. */
const OLDEST_FORMATS = [59, 27] as const
/** A program that does not tell its version within this is none of ours, ms. */
const ANSWER_WITHIN_MS = 10_000

export interface FoundFfmpeg {
  /** Absolute path. */
  readonly file: string
  readonly from: 'configured' | 'system' | 'package'
  /** As it calls itself. */
  readonly version: string
}

/**
 * The ffmpeg that is used: the configured one, else one of the system from 5.1 on, else that of the package, which is a
 * build of December 2018 and said so in a warning. Throws when there is none, with what to do about it.
 */
export async function findFfmpeg(
  configured: string | undefined,
  path: string | undefined,
  log: Pick<Log, 'warn'>,
): Promise<FoundFfmpeg> {
  if (configured !== undefined) {
    const told = await versionOf(configured)
    if (told === null)
      throw new Error(`${configured} is no ffmpeg that runs here: check media.tools.ffmpeg, FFMPEG_PATH`)
    if (!told.isCurrent) log.warn({ version: told.version }, 'the configured ffmpeg is older than 5.1')
    return { file: configured, from: 'configured', version: told.version }
  }
  const system = findProgram('ffmpeg', path)
  const told = system === null ? null : await versionOf(system)
  if (system !== null && told?.isCurrent === true) return { file: system, from: 'system', version: told.version }
  const file = await packaged()
  const own = file === null ? null : await versionOf(file)
  if (file === null || own === null) throw new Error('no ffmpeg from 5.1 on: install one, or set FFMPEG_PATH to one')
  log.warn(
    { version: own.version },
    'ffmpeg is the one of the package, without the fixes since 2018: install 5.1 or newer',
  )
  return { file, from: 'package', version: own.version }
}

/** The one `@ffmpeg-installer/ffmpeg` brings; null on systems it has none for, where the package throws. */
async function packaged(): Promise<string | null> {
  try {
    const { default: installer } = await import('@ffmpeg-installer/ffmpeg')
    return installer.path
  } catch {
    return null
  }
}

async function versionOf(file: string): Promise<{ version: string; isCurrent: boolean } | null> {
  try {
    const { stdout } = await promisify(execFile)(file, ['-version'], { timeout: ANSWER_WITHIN_MS, env: {} })
    const version = /^ffmpeg version (\S+)/.exec(stdout)?.[1]
    const formats = /libavformat\s+(\d+)\.\s*(\d+)/.exec(stdout)
    if (version === undefined) return null
    const [major, minor] = [Number(formats?.[1] ?? 0), Number(formats?.[2] ?? 0)]
    const isCurrent = major > OLDEST_FORMATS[0] || (major === OLDEST_FORMATS[0] && minor >= OLDEST_FORMATS[1])
    return { version, isCurrent }
  } catch {
    return null
  }
}
