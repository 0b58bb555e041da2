import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { credentialsOf } from '../../auth/authenticate.ts'
import { isOperator } from '../../auth/operator.ts'
import type { Board, BoardState } from '../../broker/node/board.ts'
import type { Clock } from '../../clock.ts'
import type { Config } from '../../config/config.ts'
import { FaultError } from '../../faults.ts'
import { EndedRow, JobsNow, MoneyNow, NodeView, SessionsNews, Tick } from '../../wire/console.ts'
import { eventLine } from '../event-line.ts'
import { NOTHING_TOLD, newsFor, type Told } from './board-news.ts'

export interface LiveRouteDeps {
  config(): Config
  clock: Clock
  board: Board
}

/** Consoles that one node serves at once. */
export const MOST_CONSOLES = 20
const COME_BACK_AFTER_MS = 2_000

/** The events by name, for the document. */
const News = z
  .object({
    sessions: SessionsNews,
    ended: z.array(EndedRow),
    nodes: z.array(NodeView),
    jobs: JobsNow,
    money: MoneyNow,
    tick: Tick,
  })
  .openapi('ConsoleNews')

const route = createRoute({
  method: 'get',
  path: '/v1/admin/live',
  summary: 'What happens on all nodes, as it happens',
  description: `Server-sent events, one round every two seconds: each part when it has changed, \`tick\` at the end of every round. \
What has been told once is told again only where it has changed. A node serves ${MOST_CONSOLES} such streams at once.`,
  responses: {
    200: {
      description: 'The stream; the schema names the data of each event',
      content: { 'text/event-stream': { schema: News } },
    },
  },
})

/** The stream behind the console; `adminRoutes` has asked for the key. */
export function liveRoutes(app: OpenAPIHono, { config, clock, board }: LiveRouteDeps): void {
  let open = 0
  app.openapi(route, (c) => {
    if (open >= MOST_CONSOLES) {
      throw new FaultError('rate_limited', `A node serves ${MOST_CONSOLES} consoles at once.`, { retryAfterMs: 15_000 })
    }
    open++
    // The key is looked at again at every beat: one that is changed must not go on reading.
    const credentials = credentialsOf({
      authorization: c.req.header('authorization'),
      'api-key': c.req.header('api-key'),
    })
    const over = Promise.withResolvers<void>()
    const beaten = () => {
      if (!isOperator(config(), credentials)) over.resolve()
    }
    return eventLine(c, clock, beaten, async (line) => {
      let told: Told = NOTHING_TOLD
      try {
        line.gone.addEventListener('abort', () => over.resolve(), { once: true })
        await line.write(`retry: ${COME_BACK_AFTER_MS}\n\n`)
        using _watch = board.watch((now: BoardState) => {
          // A slow reader misses rounds and is told the sum of them.
          if (line.isWaiting) return
          const news = newsFor(told, now)
          told = now
          void line.write(news)
        })
        await over.promise
      } finally {
        open--
      }
    }) as never
  })
}
