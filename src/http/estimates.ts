import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Principal } from '../auth/principal.ts'
import { type ViewerDeps, viewerOf } from '../auth/viewer.ts'
import { FaultError } from '../faults.ts'
import type { MediaFile } from '../media/media-file.ts'
import { dollars } from '../meter/decimal.ts'
import { type PlannedSession, planSession, type SessionPlan } from '../meter/plan.ts'
import { hasTokenPrices } from '../meter/price.ts'
import type { PriceRow } from '../meter/price-row.ts'
import { idleCut } from '../meter/savings.ts'
import { sumTokens, tokensIn, tokensOut } from '../meter/usage.ts'
import { type Instant, type Ms, minutes, ms, nanoUsd, seconds, tokens } from '../units.ts'
import type { PricedModel } from './corrections.ts'
import {
  DescribeEstimateRequest,
  estimateDescription,
  estimateTranscription,
  MediaEstimateAnswer,
  TranscribeEstimateRequest,
} from './media-estimates.ts'
import { PriceRowView, priceRowView } from './prices.ts'

export interface EstimateRouteDeps extends ViewerDeps {
  /** Null for a model that is not served, or whose price is not known. */
  pricedModel(model: string, at: Instant): PricedModel | null
  /** A file of the tenant's; null where there is none by that id. */
  ownFile(tenant: string, id: string): Promise<MediaFile | null>
}

const MOST_TURNS = 1_000
/** Turns shown one by one; of a longer session every second, third, … and the last. */
const SHOWN_TURNS = 100
/** Text that an answer writes beside its audio, tokens per second of speech. */
const TRANSCRIPT_PER_SECOND = 3

const length = (most: number) => z.number().min(0).max(most)
const Request = z
  .strictObject({
    type: z.literal('session').optional(),
    model: z.string().min(1).max(200),
    turns: z.int().min(1).max(MOST_TURNS).optional(),
    minutes: z.number().positive().max(1_440).optional().openapi({ description: 'In place of `turns`' }),
    user_seconds: length(600).default(5),
    assistant_seconds: length(600).default(5),
    pause_seconds: length(600).default(2).openapi({ description: 'Silence in each turn' }),
    instructions_tokens: z.int().min(0).max(100_000).default(300).openapi({ description: 'With the tools' }),
    turn_detection: z.boolean().default(true).openapi({ description: "The provider's own; it drops silence" }),
    idle_minutes: length(1_440).default(0).openapi({ description: 'How long it would stay open after the last turn' }),
    idle_limit_seconds: length(86_400).optional().openapi({ description: "The plan's idle cutoff when left out" }),
    sessions: z.int().min(1).max(100_000).default(1),
  })
  .openapi('EstimateRequest')

const Money = z.object({ nano: z.int(), usd: z.string() })
const Side = z.object({
  input_tokens: z.int(),
  cached_tokens: z.int(),
  output_tokens: z.int(),
  audio_seconds: z.number(),
  session_seconds: z.number(),
  resent_tokens: z.int().openapi({ description: 'Read before, and read and paid for again' }),
  resent_cost: Money,
  idle_cost: Money,
  cost: Money,
})
const Both = z.object({
  cached: Side.openapi({ description: "The provider's cache holds whatever it may" }),
  uncached: Side.openapi({ description: 'It holds nothing' }),
})
const Answer = z
  .object({
    object: z.literal('parley.estimate'),
    model: z.string(),
    provider: z.string(),
    provider_model: z.string(),
    sessions: z.int(),
    turns: z.int(),
    session_seconds: z.number(),
    truncated_from: z.int().nullable().openapi({ description: 'First turn that no longer saw the whole talk' }),
    with_parley: Both,
    without_parley: Both,
    saved: z.object({ cached: Money, uncached: Money }),
    by_turn: z.array(
      z.object({
        turn: z.int(),
        input_tokens: z.int(),
        resent_tokens: z.int(),
        cost_cached: Money,
        cost_uncached: Money,
      }),
    ),
    price_rows: z.array(PriceRowView),
    assumptions: z.array(z.string()),
  })
  .openapi('Estimate')
type Estimate = z.infer<typeof Answer>

/** A plan without a type is one of sessions. */
const AnyRequest = z.discriminatedUnion('type', [Request, TranscribeEstimateRequest, DescribeEstimateRequest])

const route = createRoute({
  method: 'post',
  path: '/v1/estimates',
  summary: 'What planned sessions or media jobs would cost, with and without Parley',
  request: { body: { content: { 'application/json': { schema: AnyRequest } }, required: true } },
  responses: {
    200: {
      description: 'Of all sessions, recordings or pictures together',
      content: { 'application/json': { schema: z.union([Answer, MediaEstimateAnswer]) } },
    },
  },
})

export function estimateRoutes(app: OpenAPIHono, deps: EstimateRouteDeps): void {
  app.openapi(route, async (c) => {
    const viewer = await viewerOf(deps, c.req)
    const body = c.req.valid('json')
    if (body.type === 'audio.transcribe' || body.type === 'image.describe') {
      const tenant = viewer?.tenant ?? null
      const file = async (id: string) => (tenant === null ? null : deps.ownFile(tenant, id))
      const about = { config: deps.config(), now: deps.clock.now(), tenant, file }
      return c.json(
        await (body.type === 'audio.transcribe'
          ? estimateTranscription(body, about)
          : estimateDescription(body, about)),
        200,
      )
    }
    const model = deps.pricedModel(body.model, deps.clock.now())
    if (model === null) {
      throw new FaultError('model_not_found', 'That model does not exist here, or its price is not known.', {
        param: 'model',
      })
    }
    const idleLimit =
      body.idle_limit_seconds === undefined ? planIdleLimit(deps, viewer) : seconds(body.idle_limit_seconds)
    try {
      return c.json(estimate(body, model, idleLimit), 200)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new FaultError('invalid_request', 'That is more money than there is.', { param: 'sessions', cause: error })
    }
  })
}

/** Null: the viewer's plan lets a session idle to its end. */
function planIdleLimit(deps: EstimateRouteDeps, viewer: Principal | null): Ms | null {
  const { plans, tenants } = deps.config()
  const plan = viewer === null ? 'default' : (tenants.get(viewer.tenant)?.plan ?? 'default')
  return plans.get(plan)?.session.idle?.limit ?? null
}

function estimate(body: z.infer<typeof Request>, model: PricedModel, idleLimit: Ms | null): Estimate {
  const { row } = model
  const whole = (n: number) => ms(Math.round(n * 1_000))
  const [user, assistant, pause] = [body.user_seconds, body.assistant_seconds, body.pause_seconds].map(whole) as [
    Ms,
    Ms,
    Ms,
  ]
  const plan: Omit<SessionPlan, 'cached' | 'pausesSent'> = {
    ...{ user, assistant, pause, turns: turnsOf(body, ms(user + assistant + pause)) },
    instructions: tokens(body.instructions_tokens),
    transcript: tokens(Math.ceil((assistant * TRANSCRIPT_PER_SECOND) / 1_000)),
    retentionMilli: 1_000,
  }
  const silenceCosts = row.billing.silenceBilled !== false && (hasTokenPrices(row) ? !body.turn_detection : true)
  const idle = ms(Math.round(minutes(body.idle_minutes)))
  // The gate keeps an idle microphone from those who bill audio; who bills the open session is paid until the cutoff.
  const idleWith = row.prices.sessionTime === undefined ? ms(0) : ms(Math.min(idle, idleLimit ?? idle))
  const planned = (cached: boolean, pausesSent: boolean) => planSession({ ...plan, cached, pausesSent }, row)
  const side = (session: PlannedSession, time: Ms) => sideOf(session, idleCut(time, row, true).otherwise, body.sessions)
  const ours = { cached: planned(true, false), uncached: planned(false, false) }
  const withParley = { cached: side(ours.cached, idleWith), uncached: side(ours.uncached, idleWith) }
  const without = {
    cached: side(planned(true, silenceCosts), idle),
    uncached: side(planned(false, silenceCosts), idle),
  }
  return {
    object: 'parley.estimate',
    model: body.model,
    provider: model.provider,
    provider_model: model.providerModel,
    sessions: body.sessions,
    turns: plan.turns,
    session_seconds: ours.cached.length / 1_000,
    truncated_from: ours.uncached.truncatedFrom,
    with_parley: withParley,
    without_parley: without,
    saved: {
      cached: money(without.cached.cost.nano - withParley.cached.cost.nano),
      uncached: money(without.uncached.cost.nano - withParley.uncached.cost.nano),
    },
    by_turn: byTurn(ours),
    price_rows: [priceRowView(row)],
    assumptions: assumptions(row, body, idleLimit),
  }
}

function turnsOf({ turns, minutes: time }: z.infer<typeof Request>, each: Ms): number {
  const wrong = (message: string, param: string) => new FaultError('invalid_request', message, { param })
  if ((turns === undefined) === (time === undefined)) throw wrong("Give either 'turns' or 'minutes'.", 'turns')
  if (turns !== undefined) return turns
  const fit = each === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(minutes(time ?? 0) / each))
  if (fit > MOST_TURNS) throw wrong(`These minutes hold more than ${MOST_TURNS} turns.`, 'minutes')
  return fit
}

const money = (nano: number) => ({ nano: nanoUsd(nano), usd: dollars(nanoUsd(nano)) })

/** One session's numbers, times how many there are. */
function sideOf(session: PlannedSession, idleNano: number, sessions: number): z.infer<typeof Side> {
  const { usage } = session
  return {
    input_tokens: tokensIn(usage) * sessions,
    cached_tokens: sumTokens(usage.cached) * sessions,
    output_tokens: tokensOut(usage) * sessions,
    audio_seconds: (usage.audioMs * sessions) / 1_000,
    session_seconds: (usage.sessionMs * sessions) / 1_000,
    resent_tokens: session.resent * sessions,
    resent_cost: money(session.resentNano * sessions),
    idle_cost: money(idleNano * sessions),
    cost: money((session.nano + idleNano) * sessions),
  }
}

function byTurn({ cached, uncached }: { cached: PlannedSession; uncached: PlannedSession }): Estimate['by_turn'] {
  const step = Math.ceil(cached.turns.length / SHOWN_TURNS)
  return cached.turns.flatMap((turn, i) => {
    const isShown = i % step === 0 || i === cached.turns.length - 1
    const twin = uncached.turns[i]
    if (!isShown || twin === undefined) return []
    return {
      turn: turn.turn,
      input_tokens: tokensIn(turn.usage),
      resent_tokens: turn.resent,
      cost_cached: money(turn.cost.nano),
      cost_uncached: money(twin.cost.nano),
    }
  })
}

function assumptions(row: PriceRow, body: z.infer<typeof Request>, idleLimit: Ms | null): string[] {
  const { silenceBilled } = row.billing
  const time = hasTokenPrices(row) ? [] : ['The model is billed by time: nothing is read again, and no cache applies.']
  const silence =
    silenceBilled === false
      ? 'The provider does not bill silence.'
      : hasTokenPrices(row) && body.turn_detection
        ? "The provider's turn detection drops silence, so that the silence gate saves nothing."
        : `Silence is sent without Parley and held back by its silence gate${silenceBilled === null ? '; that the provider bills it is likely, not documented' : ''}.`
  const idle =
    idleLimit === null
      ? 'The plan has no idle cutoff.'
      : `An idle session is cut after ${idleLimit / 1_000} s, and stays open for ${body.idle_minutes} min without Parley.`
  return [...time, silence, idle, `An answer writes ${TRANSCRIPT_PER_SECOND} text tokens per second beside its audio.`]
}
