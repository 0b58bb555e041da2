import ffmpeg from 'fluent-ffmpeg'

/** What every command is held to: no file but the one named, no demuxer but the one its first bytes ask for. */
const ALWAYS = ['-nostdin', '-hide_banner', '-threads', '1', '-max_alloc', '268435456']
const READS_ONLY = ['-protocol_whitelist', 'file,pipe', '-probesize', '5M', '-analyzeduration', '10M']
/** More streams than this is no recording. */
const MOST_STREAMS = 8

/** The file behind a command, and what its first bytes said it is. */
export interface FfmpegInput {
  /** Absolute; `file:` makes names with colons or dashes harmless. */
  readonly path: string
  readonly demuxer: string
}

type Command = ReturnType<typeof ffmpeg>
/** fluent-ffmpeg builds the arguments; the process itself is ours (ffmpeg-process.ts), because it must be bounded. */
const argumentsOf = (command: Command): string[] =>
  (command as unknown as { _getArguments(): string[] })._getArguments()

function open({ path, demuxer }: FfmpegInput, loglevel: string, longestSeconds?: number): Command {
  const command = ffmpeg({ source: `file:${path}`, logger: undefined })
    .inputFormat(demuxer)
    .inputOptions([...ALWAYS, '-loglevel', loglevel, ...READS_ONLY])
    .inputOptions(['-format_whitelist', demuxer, '-max_streams', String(MOST_STREAMS)])
  return longestSeconds === undefined ? command : command.inputOptions(['-t', String(longestSeconds)])
}

/** Says on stderr what is in a file and ends with an error, because nothing is to be written. */
export function probeArguments(input: FfmpegInput): string[] {
  return argumentsOf(open(input, 'info'))
}

/**
 * Decodes the first sound track to raw 16-bit mono on stdout. Gaps between time stamps are filled with silence, so that the
 * samples lie on the recording's own time line.
 */
export function decodeArguments(input: FfmpegInput, rate: number, longestSeconds: number): string[] {
  const command = open(input, 'error', longestSeconds)
    .outputOptions(['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1'])
    .audioFilters('aresample=async=1:first_pts=0')
    .audioChannels(1)
    .audioFrequency(rate)
    .audioCodec('pcm_s16le')
    .format('s16le')
    .output('pipe:1')
  return argumentsOf(command)
}

/** Encodes raw 16-bit mono from stdin into a file of ours. */
export function encodeArguments(rate: number, format: 'flac' | 'opus', path: string): string[] {
  const command = ffmpeg({ source: 'pipe:0', logger: undefined })
    .inputFormat('s16le')
    .inputOptions([...ALWAYS.filter((option) => option !== '-nostdin'), '-loglevel', 'error'])
    .inputOptions(['-protocol_whitelist', 'file,pipe', '-ar', String(rate), '-ac', '1'])
    .outputOptions(['-map_metadata', '-1', '-fflags', '+bitexact', '-flags:a', '+bitexact'])
  if (format === 'flac') command.audioCodec('flac').format('flac')
  // Below 24 kbit/s recognition falls apart; level 0 costs a quarter of the default and sounds the same to a recogniser.
  else command.audioCodec('libopus').audioBitrate(24).outputOptions(OPUS).format('ogg')
  return argumentsOf(command.output(`file:${path}`))
}

const OPUS = ['-application', 'voip', '-compression_level', '0']
