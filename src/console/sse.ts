/** One server-sent event. */
export interface StreamEvent {
  readonly name: string
  readonly data: string
}

/** Takes pieces of a stream as they come, and gives the events that are whole (HTML, server-sent events). */
export class StreamReader {
  #rest = ''

  push(text: string): StreamEvent[] {
    const blocks = (this.#rest + text).replaceAll('\r\n', '\n').split('\n\n')
    this.#rest = blocks.pop() ?? ''
    return blocks.flatMap((block) => eventOf(block) ?? [])
  }
}

function eventOf(block: string): StreamEvent | null {
  let name = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) name = line.slice(6).trim()
    else if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
  }
  return data.length === 0 ? null : { name, data: data.join('\n') }
}
