import { randomUUID } from 'node:crypto'
import { type Context, context } from '@opentelemetry/api'
import type { Audit } from '../../audit/audit.ts'
import type { Principal, SecretGrant } from '../../auth/principal.ts'
import { type Ceilings, grantedModel, openingUpdate } from '../../auth/session-fields.ts'
import type { Clock } from '../../clock.ts'
import type { Config, PlanConfig } from '../../config/config.ts'
import { FaultError, toFault } from '../../faults.ts'
import type { Peer } from '../../frames/peer.ts'
import { lower } from '../../limits/accounts.ts'
import { applyStep } from '../../limits/objective.ts'
import type { Log } from '../../log.ts'
import type { EndReason } from '../../session/end-reason.ts'
import { shortened } from '../../session/policy.ts'
import type { SessionHead, SessionRecord, SessionRecords } from '../../store/session-records.ts'
import { contextOf, traceparentOf } from '../../traces/traceparent.ts'
import { between, ms, seconds } from '../../units.ts'
import type { Upstreams } from '../../upstream/upstreams.ts'
import type { VoiceDetection } from '../../voice/detector.ts'
import { Greeting } from '../lines/greeting.ts'
import type { Leaving } from '../live/dismissal.ts'
import { Journal, type JournalItem } from '../live/journal.ts'
import { LiveSession } from '../live/live-session.ts'
import type { LiveSessionOptions } from '../live/live-session-options.ts'
import { SessionSpan } from '../money/session-span.ts'
import type { Till } from '../money/till.ts'
import type { Directory } from '../node/directory.ts'
import type { RecordKeeper } from '../node/record-keeper.ts'

/** What a caller asks for in the query of its upgrade. */
export interface Wish {
  model: string | null
  intent: string | null
  speaksParley: boolean
  origin: string | null
  /** What the caller is doing, as its `traceparent` says. */
  trace: Context
}

export interface AdmissionDeps {
  config(): Config
  clock: Clock
  log: Log
  records: SessionRecords
  keeper: RecordKeeper
  directory: Directory
  upstreams: Upstreams
  voices: VoiceDetection
  audit: Audit
  till: Till
  /** How many steps of the spend objective apply to sessions that begin now. */
  step(): number
}

/** How a caller is let go whose session was over before it had begun: slowly, so that it does not storm the door. */
export type TurnedAway = (peer: Peer) => Leaving

/** A session that a provider ends within this time of its start was never one. */
const AT_ONCE = seconds(5)
const UPSTREAM_FAULTS: ReadonlySet<EndReason> = new Set(['upstream_unavailable', 'upstream_lost', 'upstream_ended'])

/** Decides who gets a session, and starts it. */
export class Admission {
  readonly #deps: AdmissionDeps
  /** Sessions that have been judged and are not in the directory yet. */
  #starting = 0

  constructor(deps: AdmissionDeps) {
    this.#deps = deps
  }

  /** Judges a wish before anything is dialled or counted. Throws the fault to refuse with. */
  judge(principal: Principal, wish: Wish): { head: SessionHead; plan: PlanConfig } {
    const config = this.#deps.config()
    const planName = config.tenants.get(principal.tenant)?.plan ?? 'default'
    const plan = config.plans.get(planName)
    if (plan === undefined) throw new FaultError('internal', 'The plan of this account is not configured.')
    const { model, kind } = wishedModel(config, principal, wish)
    if (plan.models !== null && !plan.models.includes(model)) {
      throw new FaultError('model_not_found', `The model '${model}' is not part of this plan.`, { param: 'model' })
    }
    if (this.#deps.directory.size + this.#starting >= config.door.maxSessions) {
      throw new FaultError('overloaded', 'This server has no room for another session.', { retryAfterMs: 5_000 })
    }
    const { served, maxOutputTokens } = applyStep(config.objective, this.#deps.step(), model)
    this.#deps.till.requirePrices({ model, served, kind })
    const session = shortened(plan.session, principal.secret?.limits.maxDuration ?? null)
    const head: SessionHead = {
      id: randomUUID(),
      tenant: principal.tenant,
      keyId: principal.keyId,
      user: principal.secret?.user ?? null,
      model,
      served,
      maxOutputTokens,
      kind,
      plan: planName,
      admitted: this.#deps.clock.now(),
      maxDuration: session.maxDuration,
      resumeWindow: session.resumeWindow,
      origin: wish.origin,
      grant: principal.secret === null ? null : grantFor(principal.secret, model, kind),
    }
    return { head, plan: { ...plan, session } }
  }

  /** Starts a session for a caller that has been judged. Rejects with `store_unavailable` when it cannot be recorded. */
  async start(
    peer: Peer,
    principal: Principal,
    wish: Wish,
    judged: { head: SessionHead; plan: PlanConfig },
    turnedAway: TurnedAway,
  ): Promise<void> {
    const { plan } = judged
    const span = new SessionSpan(judged.head, false, wish.trace)
    const trace = traceparentOf(span.inside)
    const head = trace === null ? judged.head : { ...judged.head, trace }
    this.#starting++
    try {
      await this.#register(head)
    } catch (error) {
      span.failed(error)
      throw error
    } finally {
      this.#starting--
    }
    this.#run(
      peer,
      {
        head,
        policy: plan.session,
        ceilings: ceilingsOf(plan, head),
        grant: principal.secret === null ? null : { ...principal.secret, ...head.grant },
        speaksParley: wish.speaksParley,
        carriedOver: null,
        greeting: new Greeting(
          openingUpdate(head.kind, ceilingsOf(plan, head), principal.secret, this.#transcriber(head, wish)),
        ),
      },
      span,
      turnedAway,
    )
  }

  /** Slots and a start out of the accounts, then the record; nothing is kept of a session that is refused. */
  async #register(head: SessionHead): Promise<void> {
    const { records, keeper, clock, till } = this.#deps
    await till.admit(head)
    await records.create(head, null, clock.now()).catch((cause: unknown) => {
      void till.leave(head.id)
      // A store that hangs may still do what it was asked.
      void keeper.owe(head.id, () => records.discard(head.id))
      throw new FaultError('store_unavailable', 'Sessions cannot be started right now.', { cause, retryAfterMs: 2_000 })
    })
  }

  /** What the provider calls the transcription model that was asked for; null where none was, or it is no such session. */
  #transcriber(head: SessionHead, wish: Wish): string | null {
    const isNamed = wish.model !== null || (head.grant !== null && grantedModel(head.grant.session) !== null)
    if (head.kind !== 'transcription' || !isNamed) return null
    return this.#deps.config().models.get(head.served)?.targets[0]?.model ?? null
  }

  /** Is enough known of a session, and its plan still there, to go on with it? */
  canCarryOn({ head, tail }: SessionRecord): boolean {
    return tail !== null && tail.session !== null && this.#deps.config().plans.has(head.plan)
  }

  /**
   * Goes on with a session whose node is gone and that this node has just claimed, at a new provider connection.
   * `tokenHash`: of the token its caller came with, good again if nothing comes of it.
   */
  carryOn(peer: Peer, record: SessionRecord, seen: number, tokenHash: string, turnedAway: TurnedAway): void {
    const { head, tail, usage } = record
    const plan = this.#deps.config().plans.get(head.plan)
    if (plan === undefined || tail === null || tail.session === null)
      throw new FaultError('session_not_found', 'The session cannot be continued.')
    const ceilings = ceilingsOf(plan, head)
    // Its slots were its own until its node died: it goes on even where another has taken them since.
    void this.#deps.till.admit(head).catch(() => undefined)
    const grant =
      head.grant === null ? null : { user: head.user, origins: [], expiresAt: head.admitted as never, ...head.grant }
    const { id: _id, object: _object, expires_at: _expires, model: _model, ...session } = tail.session
    const items = Journal.from(tail.items as unknown as JournalItem[]).replay()
    this.#run(
      peer,
      {
        head,
        policy: shortened(plan.session, ms(head.maxDuration)),
        ceilings,
        grant,
        speaksParley: true,
        carriedOver: { tail, usage, seen, tokenHash },
        greeting: new Greeting(withoutNulls(session), items),
      },
      new SessionSpan(head, true, contextOf(head.trace ?? null)),
      turnedAway,
    )
  }

  #run(peer: Peer, options: LiveSessionOptions, span: SessionSpan, turnedAway: TurnedAway): void {
    const { directory, records, clock, log, upstreams, voices, audit, till } = this.#deps
    const config = this.#deps.config()
    const { head } = options
    const about = { actor: `key:${head.keyId}`, tenant: head.tenant, subject: head.id } as const
    const hangUp = new AbortController()
    const session = new LiveSession(options, {
      clock,
      log,
      door: config.door,
      voices,
      ringBytes: () => directory.ringBytes,
      mayPark: () => directory.mayPark,
      parting: (s, caller, reason) => {
        const isOverAtOnce = between(s.startedAt, clock.now()) < AT_ONCE && UPSTREAM_FAULTS.has(reason)
        return isOverAtOnce ? turnedAway(caller) : caller
      },
      phaseChanged: (s, from, to) => directory.phaseChanged(s, from, to),
      ended: (s, reason) => {
        hangUp.abort()
        span.ended(reason, s.usage)
        audit.record({ kind: 'session.closed', ...about, detail: { reason } })
        void till.leave(head.id)
        return directory.ended(s, reason)
      },
      money: (bought, port) => till.open(head, bought, port, span),
      rotated: async ({ tail }, resumeHash) => {
        // Together: a token is good for nothing where its record does not say what to go on with.
        await records
          .update(head, { resumeHash, tail }, clock.now())
          .catch(() => log.warn({ sessionId: head.id }, 'resume token good on this node only'))
      },
    })
    directory.add(session)
    session.admit(peer)
    directory.admitted(session)
    log.info({ sessionId: head.id, tenant: head.tenant, model: head.model }, 'session admitted')
    const { model, plan } = head
    audit.record({ kind: 'session.opened', ...about, detail: { model, plan, resumed: options.carriedOver !== null } })
    context
      .with(span.inside, () => upstreams.open(config, head.served, head.kind, hangUp.signal))
      .then((reached) => session.opened(reached))
      .catch((error: unknown) => {
        if (hangUp.signal.aborted) return
        const fault = toFault(error)
        if (fault.code === 'internal') log.error({ err: error, sessionId: head.id }, 'opening the provider failed')
        session.failed(fault)
      })
  }
}

/** The plan's, or lower where the spend objective was at a step when the session began. */
function ceilingsOf({ ceilings }: PlanConfig, { maxOutputTokens }: SessionHead): Ceilings {
  return { ...ceilings, maxOutputTokens: lower(ceilings.maxOutputTokens, maxOutputTokens) }
}

function wishedModel(config: Config, principal: Principal, wish: Wish): { model: string; kind: SessionHead['kind'] } {
  const granted = principal.secret?.session
  const isTranscription = wish.intent === 'transcription' || (wish.intent === null && granted?.type === 'transcription')
  if (wish.intent !== null && wish.intent !== 'transcription') {
    throw new FaultError('invalid_intent', `The intent '${wish.intent.slice(0, 64)}' is not supported.`, {
      param: 'intent',
    })
  }
  const fixed = granted === undefined ? null : grantedModel(granted)
  const asked = fixed ?? wish.model
  if (fixed !== null && wish.model !== null && wish.model !== fixed) {
    throw new FaultError('invalid_request', `This client secret is for the model '${fixed}'.`, { param: 'model' })
  }
  if (asked === null && isTranscription) {
    const first = [...config.models].find(([, model]) => model.kind === 'transcription')
    if (first !== undefined) return { model: first[0], kind: 'transcription' }
  }
  if (asked === null) {
    throw new FaultError('missing_model', 'You must provide a model parameter.', { param: 'model' })
  }
  const model = config.models.get(asked)
  if (model === undefined) {
    throw new FaultError('model_not_found', `The model '${asked.slice(0, 128)}' does not exist here.`, {
      param: 'model',
    })
  }
  if (isTranscription) return { model: asked, kind: 'transcription' }
  if (model.kind === 'vision') {
    throw new FaultError('model_not_found', `The model '${asked}' holds no conversations here.`, { param: 'model' })
  }
  return { model: asked, kind: model.kind }
}

/** What a secret fixes for this session: a model left open at minting is fixed by the one asked for at its start. */
function grantFor(secret: SecretGrant, model: string, kind: SessionHead['kind']): NonNullable<SessionHead['grant']> {
  const session = kind === 'conversation' ? { ...secret.session, model } : secret.session
  return { session, unlocked: [...secret.unlocked], limits: secret.limits }
}

/** A session object as the provider tells it holds nulls for what was never set; those are not sent back. */
function withoutNulls(session: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(session).filter(([, value]) => value !== null))
}
