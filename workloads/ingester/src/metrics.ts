import { startAtZero } from '@truenow/chassis/start-at-zero.ts'
import { Counter, Gauge, type Registry } from 'prom-client'

export type IngesterMetrics = ReturnType<typeof createIngesterMetrics>

/** Every metric of the ingester. */
export const createIngesterMetrics = (registry: Registry) => ({
  records: new Counter({
    name: 'truenow_ingester_records_total',
    help: 'Records read from Kafka, by what became of them.',
    labelNames: ['verdict'] as const, // verdict: block | dead-letter
    registers: [registry],
  }),
  bytes: new Counter({
    name: 'truenow_ingester_read_bytes_total',
    help: 'Bytes of records read from Kafka.',
    registers: [registry],
  }),
  kafkaUp: new Gauge({
    name: 'truenow_ingester_kafka_up',
    help: '1 while a broker of Kafka answers; asked every 2 s.',
    registers: [registry],
  }),
  tails: new Gauge({
    name: 'truenow_ingester_tails',
    help: 'Slots whose end of the log is followed.',
    registers: [registry],
  }),
  tailBytes: new Gauge({
    name: 'truenow_ingester_tail_bytes',
    help: 'Bytes of recent records kept for subscribers, all slots together.',
    registers: [registry],
  }),
  subscribers: new Gauge({
    name: 'truenow_ingester_subscribers',
    help: 'Open Subscribe streams.',
    registers: [registry],
  }),
  catchUps: new Counter({
    name: 'truenow_ingester_catch_ups_total',
    help: 'Times a subscriber stood behind the kept records and was served from Kafka.',
    registers: [registry],
  }),
  cursorChecks: startAtZero(
    new Counter({
      name: 'truenow_ingester_cursor_checks_total',
      help: 'Cursors checked against the log, by outcome.',
      labelNames: ['outcome'] as const, // outcome: origin | match | gone | data-loss | log-rewritten
      registers: [registry],
    }),
    'outcome',
    ['origin', 'match', 'gone', 'data-loss', 'log-rewritten'],
  ),
  unknownVersions: new Counter({
    name: 'truenow_ingester_unknown_versions_total',
    help: 'Times a slot waited for the catalog because a block named a table version that was not known yet.',
    registers: [registry],
  }),
})
