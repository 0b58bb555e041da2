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

/** Decodes a video to small raw RGB frames on stdout, so many a second on its own time line. */
export function framesArguments(
  input: FfmpegInput,
  rate: number,
  size: { width: number; height: number },
  longestSeconds: number,
): string[] {
  const command = open(input, 'error', longestSeconds)
    .outputOptions([...VIDEO_ONLY, '-pix_fmt', 'rgb24'])
    .videoFilters(`fps=${rate},scale=${size.width}:${size.height}:flags=area`)
    .videoCodec('rawvideo')
    .format('rawvideo')
    .output('pipe:1')
  return argumentsOf(command)
}

/** Writes some of the frames that `framesArguments` counts, by their places from 0, as full-size JPEG files 1, 2, 3… */
export function stillsArguments(
  input: FfmpegInput,
  rate: number,
  places: readonly number[],
  pattern: string,
  longestSeconds: number,
): string[] {
  const chosen = places.map((place) => `eq(n\\,${place})`).join('+')
  const command = open(input, 'error', longestSeconds)
    .outputOptions([...VIDEO_ONLY, '-q:v', '2', '-frames:v', String(places.length)])
    // Chosen frames follow each other without a gap, which would be filled with repetitions.
    .videoFilters([`fps=${rate}`, `select=${chosen}`, `setpts=N/(${rate}*TB)`, 'format=yuvj420p'])
    .videoCodec('mjpeg')
    .format('image2')
    .output(`file:${pattern}`)
  return argumentsOf(command)
}

const VIDEO_ONLY = ['-map', '0:v:0', '-an', '-sn', '-dn', '-map_metadata', '-1']

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
