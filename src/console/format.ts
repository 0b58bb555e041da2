/** How numbers, money and times are written in the console. Pure: what the time is comes as an argument. */

const NANO = 1_000_000_000n

/** Exact dollars of whole nano-dollars, without trailing zeros beyond cents: `$0.0123`, `−$1.50`. */
export function exactDollars(nano: number): string {
  const amount = BigInt(nano)
  const abs = amount < 0n ? -amount : amount
  const fraction = (abs % NANO).toString().padStart(9, '0').replace(/0+$/, '').padEnd(2, '0')
  return `${amount < 0n ? '−' : ''}$${grouped(abs / NANO)}.${fraction}`
}

/** Dollars to glance at: cents, or as many places as show two digits of less than a cent, six at most. */
export function dollars(nano: number): string {
  const sign = nano < 0 ? '−' : ''
  const abs = Math.abs(nano) / 1e9
  if (abs === 0) return '$0.00'
  if (abs >= 1_000) return `${sign}$${grouped(BigInt(Math.round(abs)))}`
  if (abs >= 0.1) return `${sign}$${abs.toFixed(2)}`
  if (abs < 0.000_001) return `${sign}<$0.000001`
  return `${sign}$${abs.toFixed(abs >= 0.01 ? 3 : abs >= 0.000_1 ? 4 : 6)}`
}

/** `12,345` */
export function whole(n: number): string {
  return grouped(BigInt(Math.round(n)))
}

function grouped(n: bigint): string {
  return n.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ',')
}

/** A length of time, ms: `4.2 s`, `1:05`, `2:03:09`, `3 d 4 h`. Never negative. */
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1_000))
  const pad = (n: number) => String(n).padStart(2, '0')
  if (s < 3_600) return `${Math.floor(s / 60)}:${pad(s % 60)}`
  if (s < 86_400) return `${Math.floor(s / 3_600)}:${pad(Math.floor((s % 3_600) / 60))}:${pad(s % 60)}`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`
}

/** How long something took, ms: `320 ms`, `4.2 s`, `1:05`. */
export function took(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : clock(ms)
}

/** How long ago, ms: `just now`, `40 s ago`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function ago(ms: number): string {
  const s = Math.floor(ms / 1_000)
  if (s < 5) return 'just now'
  if (s < 60) return `${s} s ago`
  if (s < 3_600) return `${Math.floor(s / 60)} min ago`
  return s < 86_400 ? `${Math.floor(s / 3_600)} h ago` : `${Math.floor(s / 86_400)} d ago`
}

/** `1.2 MB` */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`
  const units = ['kB', 'MB', 'GB', 'TB']
  let value = n
  let unit = -1
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000
    unit++
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}

/** Share of a whole as percent, 0 to 100 and above; nothing of nothing is all of it. */
export function percent(part: number, all: number): number {
  return all === 0 ? (part === 0 ? 0 : 100) : Math.round((100 * part) / all)
}

/** The end of an id that tells it from its neighbours. */
export function shortId(id: string): string {
  return id.includes('_') ? id.slice(-8) : id.slice(0, 8)
}

/** `caller_hung_up` as words: `caller hung up`. */
export function words(name: string): string {
  return name.replaceAll('_', ' ')
}

/** Time of day of an instant where the reader is: `14:03:07`. */
export function timeOfDay(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB')
}

/** Day and time of an instant where the reader is. */
export function dayAndTime(at: number): string {
  return `${new Date(at).toLocaleDateString('en-CA')} ${timeOfDay(at)}`
}
