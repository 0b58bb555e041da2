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
}
