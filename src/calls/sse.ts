/** Longest single event, characters; a provider that sends a longer one is not waited for. */
const LONGEST_EVENT = 4 * 1_024 * 1_024

/** The `data` of each server-sent event, in order; comments and other fields are passed over. Throws RangeError past its bound. */
export async function* sseData(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder()
  let rest = ''
  let data: string[] = []
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split(/\r\n|\n|\r(?!$)/)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
      if (line !== '' || data.length === 0) continue
      yield data.join('\n')
      data = []
    }
    if (rest.length + data.reduce((sum, part) => sum + part.length, 0) > LONGEST_EVENT)
      throw new RangeError('an event of the answer is too long')
  }
  if (rest.startsWith('data:')) data.push(rest.slice(rest.startsWith('data: ') ? 6 : 5))
  if (data.length > 0) yield data.join('\n')
}
