import { startAtZero } from '@truenow/chassis/start-at-zero.ts'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

/** Every metric of the query role. No table or namespace is a label: tenants come without bound. */
export const createQueryMetrics = (registry: Registry) => ({
  statements: startAtZero(
    new Counter({
      name: 'truenow_query_statements_total',
      help: 'Statements by outcome: complete, incomplete, partial, refused, overloaded, cancelled or failed.',
      labelNames: ['outcome'] as const,
      registers: [registry],
    }),
    'outcome',
    ['complete', 'incomplete', 'partial', 'refused', 'overloaded', 'cancelled', 'failed'],
  ),
  statementSeconds: new Histogram({
    name: 'truenow_query_statement_seconds',
    help: 'Time from a statement’s arrival to its answer.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60],
    registers: [registry],
  }),
  shardRequests: new Counter({
    name: 'truenow_query_shard_requests_total',
    help:
      'What happened with shards: asked, failed, refused (an answer that cannot be counted), hedged, ' +
      'overtaken (the hedge was first), map_retried (newer epoch), behind.',
    labelNames: ['event'] as const,
    registers: [registry],
  }),
  missingSlots: new Counter({
    name: 'truenow_query_missing_slots_total',
    help: 'Slots that were missing from answers.',
    registers: [registry],
  }),
  regressed: new Counter({
    name: 'truenow_query_regressed_total',
    help: 'Answers over a slot at a lower offset than this process served before.',
    registers: [registry],
  }),
  cache: new Counter({
    name: 'truenow_query_cache_total',
    help: 'Statements by use of the result cache: hit, miss or off.',
    labelNames: ['use'] as const,
    registers: [registry],
  }),
  cacheUp: new Gauge({
    name: 'truenow_query_cache_up',
    help: '1 while Redis answers, asked every 5 s; absent where no Redis is configured.',
    labelNames: ['system'] as const, // system: redis. A label, so that the metric is absent until it is set.
    registers: [registry],
  }),
  running: new Gauge({
    name: 'truenow_query_running_statements',
    help: 'Statements that run now.',
    registers: [registry],
  }),
  waiting: new Gauge({
    name: 'truenow_query_waiting_statements',
    help: 'Statements that wait for their turn now.',
    registers: [registry],
  }),
})
export type QueryMetrics = ReturnType<typeof createQueryMetrics>
