/** Ids that examples name; whoever tries one puts an id of their own in its place. */
export const EXAMPLE_FILE = 'file_01k8xj3v5e7q9zt2m4n6p8r0sw'

const file = { file_id: EXAMPLE_FILE }

/** What `POST /v1/jobs` may be asked. A test sends each of them. */
export const JOB_EXAMPLES = {
  transcribe: {
    summary: 'A recording as text, without its silence',
    value: { type: 'audio.transcribe', input: file, options: { language: 'en', response_format: 'srt' } },
  },
  transcribeAll: {
    summary: 'With everything that can be said about it',
    value: {
      type: 'audio.transcribe',
      input: file,
      options: {
        trim_silence: { enabled: true, min_gap_ms: 700, padding_ms: 250 },
        segment: { max_ms: 600_000 },
        timestamps: ['segment'],
        response_format: 'verbose_json',
      },
      priority: 'standard',
      expires_after_ms: 86_400_000,
      webhook: { url: 'https://example.com/hooks/media', events: ['job.succeeded', 'job.failed'] },
      retention: { input_ms: 0, output_ms: 86_400_000 },
      max_cost_usd_nanos: 500_000_000,
      metadata: { case: 'A-17' },
    },
  },
  prepareAudio: {
    summary: 'Only remove silence and cut at pauses',
    value: { type: 'audio.prepare', input: file },
  },
  describe: {
    summary: 'A picture in words, for the fewest tokens that keep its text legible',
    value: { type: 'image.describe', input: file, options: { prompt: 'What does this receipt say?' } },
  },
  prepareImage: {
    summary: 'Only make a picture smaller',
    value: { type: 'image.prepare', input: file, options: { min_x_height_px: 10 } },
  },
  videoAudio: { summary: 'The sound of a video', value: { type: 'video.audio', input: file } },
  videoFrames: {
    summary: 'The few frames of a video that differ',
    value: { type: 'video.frames', input: file, options: { max_frames: 20 } },
  },
  dryRun: {
    summary: 'What it would do and cost, without doing it',
    value: { type: 'audio.transcribe', input: file, dry_run: true },
  },
  url: {
    summary: 'From elsewhere: fetched by a worker',
    value: { type: 'audio.transcribe', input: { url: 'https://example.com/call.mp3' } },
  },
}

export const BATCH_EXAMPLES = {
  day: {
    summary: 'All lines of a file within a day',
    value: { input_file_id: EXAMPLE_FILE, endpoint: '/v1/jobs', completion_window: '24h' },
  },
}
