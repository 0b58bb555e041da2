import { Counter, Gauge, Registry } from 'prom-client'

/** Everything this node counts. Labels come from closed sets only: phases, reasons, fault codes. */
export class Metrics {
  readonly registry = new Registry()
  readonly sessions = new Gauge({
    name: 'parley_sessions',
    help: 'Sessions on this node by phase',
    labelNames: ['phase'],
    registers: [this.registry],
  })
  readonly ended = new Counter({
    name: 'parley_sessions_ended_total',
    help: 'Sessions ended by reason',
    labelNames: ['reason'],
    registers: [this.registry],
  })
  readonly refused = new Counter({
    name: 'parley_connections_refused_total',
    help: 'Connections refused by fault code',
    labelNames: ['code'],
    registers: [this.registry],
  })
  readonly resumed = new Counter({
    name: 'parley_resumes_total',
    help: 'Callers who came back, by where the session was found',
    labelNames: ['found'],
    registers: [this.registry],
  })
  readonly storeFailures = new Counter({
    name: 'parley_store_failures_total',
    help: 'Writes of session records that failed',
    registers: [this.registry],
  })
  readonly objectiveStep = new Gauge({
    name: 'parley_objective_step',
    help: 'Steps taken to keep to the spend objective; 0 is as configured',
    registers: [this.registry],
  })
  readonly bought = new Counter({
    name: 'parley_bought_nano_usd_total',
    help: 'Cost of what was booked, in nano-dollars, by what it was and on what it rests',
    labelNames: ['kind', 'basis'],
    registers: [this.registry],
  })
  readonly estimateError = new Counter({
    name: 'parley_estimate_error_nano_usd_total',
    help: 'How far the live estimate of a response was from its usage event, in nano-dollars: too high or too low',
    labelNames: ['direction'],
    registers: [this.registry],
  })
  readonly overdraft = new Counter({
    name: 'parley_overdraft_nano_usd_total',
    help: 'Booked beyond what had been reserved for it, in nano-dollars: a reservation was too low',
    registers: [this.registry],
  })
  readonly throttled = new Counter({
    name: 'parley_throttled_total',
    help: 'Responses delayed or refused, by the limit in the way',
    labelNames: ['action', 'account', 'limit'],
    registers: [this.registry],
  })
  readonly unsettled = new Gauge({
    name: 'parley_unsettled_records',
    help: 'Records that wait for the store',
    registers: [this.registry],
  })
  readonly calls = new Counter({
    name: 'parley_media_calls_total',
    help: 'Calls of media jobs and drop-ins to providers, by what came of them',
    labelNames: ['outcome'],
    registers: [this.registry],
  })
  readonly keptAnswers = new Counter({
    name: 'parley_media_kept_answers_total',
    help: 'Answers that had been bought before and were not bought again',
    registers: [this.registry],
  })
}
