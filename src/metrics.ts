import { Counter, Gauge, Histogram, Registry } from 'prom-client'

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
  readonly storeMemory = new Gauge({
    name: 'parley_store_memory_ratio',
    help: 'How much of its memory Redis uses, 0 to 1; 0 where nothing limits it',
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

/** What the batch door counts. Labels come from closed sets only: types, statuses, queues. */
export class MediaMetrics {
  readonly jobsEnded: Counter<'type' | 'status'>
  readonly jobSeconds: Histogram<'type' | 'status'>
  readonly jobs: Gauge<'state'>
  readonly inHand: Gauge<'queue'>
  readonly orphans: Gauge<'kind'>
  readonly recreated: Counter<'queue'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.jobsEnded = new Counter({
      name: 'parley_jobs_ended_total',
      help: 'Media jobs ended by this process',
      labelNames: ['type', 'status'],
      registers,
    })
    this.jobSeconds = new Histogram({
      name: 'parley_job_seconds',
      help: 'From the first start of a media job to its end',
      labelNames: ['type', 'status'],
      buckets: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1_000, 3_000],
      registers,
    })
    this.jobs = new Gauge({
      name: 'parley_jobs',
      help: 'Media jobs that have not ended, of all tenants, as the last sweep of this process found them',
      labelNames: ['state'],
      registers,
    })
    this.inHand = new Gauge({
      name: 'parley_jobs_in_hand',
      help: 'Jobs, pieces and merges that this process is doing',
      labelNames: ['queue'],
      registers,
    })
    this.orphans = new Gauge({
      name: 'parley_orphans',
      help: 'Stored bytes without a record and records without bytes, as the last daily count found them',
      labelNames: ['kind'],
      registers,
    })
    this.recreated = new Counter({
      name: 'parley_workers_recreated_total',
      help: 'Workers made anew because jobs waited and none was begun',
      labelNames: ['queue'],
      registers,
    })
  }
}
