import type { Api } from './api.ts'
import { type By, costSeries, daysUntil, dearest, type Series, savingSeries, type UsageRow } from './usage.ts'

/** Groups that get a colour of their own; the rest of them is one. */
const MOST_NAMED = 6

/** Everything that the spend page shows of one range. */
export interface Spend {
  readonly days: readonly string[]
  /** All of the range. */
  readonly total: UsageRow | null
  readonly cost: readonly Series[]
  readonly saved: readonly Series[]
  /** Each model or tenant, dearest first. */
  readonly groups: readonly UsageRow[]
}

/** Asks `GET /v1/usage` for a range of days until now. A few requests of few rows, however many groups there are. */
export async function loadSpend(api: Api, now: number, length: number, by: By): Promise<Spend> {
  const days = daysUntil(now, length)
  // The same range in every request, so that the parts add up.
  const range = { from: days[0] as string, to: new Date(now).toISOString() }
  const rows = async (query: Readonly<Record<string, string>>) => (await api.usage({ ...range, ...query })).data
  const [total, daily, groups] = await Promise.all([
    rows({ group_by: '' }),
    rows({ group_by: 'day' }),
    rows({ group_by: by, limit: '10000' }),
  ])
  const ranked = dearest(groups)
  const named = ranked.slice(0, MOST_NAMED).filter(({ cost }) => cost.nano > 0)
  const lines = await Promise.all(
    named.map(async (group) => {
      const name = group[by] ?? ''
      return { name, rows: await rows({ group_by: 'day', [by]: name }) }
    }),
  )
  return {
    days,
    total: total[0] ?? null,
    cost: costSeries(days, daily, lines),
    saved: savingSeries(days, daily),
    groups: ranked,
  }
}
