import type { Clock } from '../../clock.ts'
import type { Nodes } from '../../store/nodes.ts'
import { later, seconds } from '../../units.ts'
import { type EndedRow, type JobsNow, type MoneyNow, NodeReport, type NodeView, type Tick } from '../../wire/console.ts'
import type { Inquiries } from './inquiries.ts'

/** How often the nodes are asked while somebody looks. */
const ROUND = seconds(2)
/** Jobs and money are looked at every so many rounds. */
const SLOW_ROUNDS = 2
/** Sessions that have ended lately, of all nodes. */
const MOST_ENDED = 100

export interface BoardDeps {
  readonly clock: Clock
  readonly nodes: Pick<Nodes, 'id' | 'living'>
  readonly inquiries: Pick<Inquiries, 'ask'>
  /** Both reject while their store is away. */
  jobs(): Promise<JobsNow>
  money(): Promise<MoneyNow>
}

/** All that is to be seen, each part as JSON, so that many who look share one text, and a change is told by comparing. */
export interface BoardState {
  readonly sessions: ReadonlyMap<string, string>
  readonly ended: string
  readonly nodes: string
  readonly jobs: string | null
  readonly money: string | null
  readonly tick: Tick
}

/** What operators see, gathered from all nodes every two seconds while somebody looks, and not at all otherwise. */
export class Board implements Disposable {
  readonly #deps: BoardDeps
  readonly #watchers = new Set<(state: BoardState) => void>()
  #state: BoardState | null = null
  #alarm: Disposable | null = null
  #isRunning = false
  #isOver = false
  #rounds = 0
  /** What each living node said last: one that is slow to answer still has its sessions. */
  #said = new Map<string, NodeReport>()

  constructor(deps: BoardDeps) {
    this.#deps = deps
  }

  /** Calls `look` with all there is, at once where it is fresh, and after every round until disposed. */
  watch(look: (state: BoardState) => void): Disposable {
    this.#watchers.add(look)
    if (this.#watchers.size === 1) {
      this.#rounds = 0
      if (!this.#isRunning) void this.#round()
    } else if (this.#state !== null) look(this.#state)
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(look)
        if (this.#watchers.size === 0) this.#rest()
      },
    }
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#watchers.clear()
    this.#rest()
  }

  #rest(): void {
    this.#alarm?.[Symbol.dispose]()
    this.#alarm = null
    this.#state = null
    this.#said.clear()
  }

  async #round(): Promise<void> {
    this.#alarm?.[Symbol.dispose]()
    this.#alarm = null
    this.#isRunning = true
    const state = await this.#gather()
    this.#isRunning = false
    if (this.#watchers.size === 0 || this.#isOver) return
    this.#rounds++
    this.#state = state
    for (const look of this.#watchers) look(state)
    const { clock } = this.#deps
    this.#alarm = clock.at(later(clock.now(), ROUND), () => void this.#round())
  }

  async #gather(): Promise<BoardState> {
    const { clock, nodes, jobs, money } = this.#deps
    const isSlow = this.#state === null || this.#rounds % SLOW_ROUNDS === 0
    const [living, jobsNow, moneyNow] = await Promise.all([
      nodes.living().catch(() => null),
      isSlow ? jobs().catch(() => null) : undefined,
      isSlow ? money().catch(() => null) : undefined,
    ])
    // While Redis is away this node can still speak for itself.
    const ids = living === null ? [nodes.id] : [...new Set([nodes.id, ...living])]
    const answers = await Promise.all(ids.map((id) => this.#ask(id)))
    const reports = this.#lastOf(ids, answers)
    const missing: Tick['missing'] = []
    if (living === null) missing.push('nodes')
    if (jobsNow === null) missing.push('jobs')
    if (moneyNow === null) missing.push('money')
    return {
      sessions: new Map(
        reports.flatMap(({ sessions }) => sessions.map((row) => [row.id, JSON.stringify(row)] as const)),
      ),
      ended: JSON.stringify(newestEnded(reports)),
      nodes: JSON.stringify(reports.map(({ node }): NodeView => node)),
      jobs: jobsNow == null ? (this.#state?.jobs ?? null) : JSON.stringify(jobsNow),
      money: moneyNow == null ? (this.#state?.money ?? null) : JSON.stringify(moneyNow),
      tick: {
        at: Math.round(clock.now()),
        every_ms: ROUND,
        silent: ids.filter((_, i) => answers[i] === null),
        missing,
      },
    }
  }

  /** Those that did not answer come first: a session that has left one of them is where the others say. */
  #lastOf(ids: readonly string[], answers: readonly (NodeReport | null)[]): NodeReport[] {
    const now = new Map(ids.flatMap((id, i) => (answers[i] == null ? [] : [[id, answers[i]] as const])))
    const before = ids.flatMap((id) => (now.has(id) ? [] : (this.#said.get(id) ?? [])))
    const reports = [...before, ...now.values()]
    this.#said = new Map(reports.map((report) => [report.node.id, report]))
    return reports
  }

  /** Null for a node that does not answer, or in words that this one does not know. */
  async #ask(node: string): Promise<NodeReport | null> {
    const body = await this.#deps.inquiries.ask(node, { about: 'itself' }).catch(() => null)
    if (node === this.#deps.nodes.id) return body as NodeReport | null
    return NodeReport.safeParse(body).data ?? null
  }
}

function newestEnded(reports: readonly NodeReport[]): EndedRow[] {
  const all = reports.flatMap(({ ended }) => ended)
  return all.sort((a, b) => b.ended_at - a.ended_at).slice(0, MOST_ENDED)
}
