/** A tenant's ids below one of them, newest first, at most so many. */
export type ReadIds = (tenant: string, before: string, most: number) => Promise<string[]>

export interface OwnedId {
  readonly tenant: string
  readonly id: string
}

/** Ids that one tenant is asked for at first; twice as many each time it runs out. */
const FIRST_BATCH = 4

/**
 * Ids of many tenants in one order, newest first: ids grow with time, whoever they belong to. Reads little more from each
 * tenant than is used of it. `before`: begin below this id; empty for the newest of all.
 */
export async function* mergedIds(tenants: readonly string[], before: string, read: ReadIds): AsyncGenerator<OwnedId> {
  const lines = await Promise.all(
    tenants.map(async (tenant) => ({
      tenant,
      batch: FIRST_BATCH,
      at: 0,
      ids: await read(tenant, before, FIRST_BATCH),
    })),
  )
  for (;;) {
    let newest: (typeof lines)[number] | null = null
    for (const line of lines) {
      const head = line.ids[line.at]
      if (head !== undefined && (newest === null || head > (newest.ids[newest.at] as string))) newest = line
    }
    const id = newest?.ids[newest.at]
    if (newest === null || id === undefined) return
    yield { tenant: newest.tenant, id }
    newest.at++
    if (newest.at < newest.ids.length || newest.ids.length < newest.batch) continue
    newest.batch *= 2
    newest.at = 0
    newest.ids = await read(newest.tenant, id, newest.batch)
  }
}
