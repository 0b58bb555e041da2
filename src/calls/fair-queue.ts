/** A queue in which each tenant has its own line and the lines take turns: a tenant with many waiting delays nobody else. */
export class FairQueue<T> {
  /** Lines in the order in which they are next; an empty line is none. */
  readonly #lines = new Map<string, T[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  push(tenant: string, item: T): void {
    const line = this.#lines.get(tenant)
    if (line === undefined) this.#lines.set(tenant, [item])
    else line.push(item)
    this.#size++
  }

  /** The first of the line whose turn it is; that line is last from now on. Undefined when nobody waits. */
  take(): T | undefined {
    const [next] = this.#lines
    if (next === undefined) return undefined
    const [tenant, line] = next
    const item = line.shift()
    this.#lines.delete(tenant)
    if (line.length > 0) this.#lines.set(tenant, line)
    this.#size--
    return item
  }

  /** Somebody does not want to wait any longer. */
  remove(tenant: string, item: T): void {
    const line = this.#lines.get(tenant)
    const at = line?.indexOf(item) ?? -1
    if (line === undefined || at < 0) return
    line.splice(at, 1)
    if (line.length === 0) this.#lines.delete(tenant)
    this.#size--
  }
}
