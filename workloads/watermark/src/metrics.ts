import { Counter, Gauge, type Registry } from 'prom-client'

/** Every metric of the watermark role. `namespace` and `table` are labels of the first 200 tables only. */
export const createWatermarkMetrics = (registry: Registry) => ({
  freshnessSeconds: new Gauge({
    name: 'truenow_watermark_table_freshness_seconds',
    help: 'How far complete answers are behind now, beyond the allowed lateness; absent while unknown.',
    labelNames: ['namespace', 'table'] as const,
    registers: [registry],
  }),
  tablesUnknown: new Gauge({
    name: 'truenow_watermark_tables_unknown',
    help: 'Tables whose watermark is unknown.',
    registers: [registry],
  }),
  slots: new Gauge({
    name: 'truenow_watermark_slots',
    help: 'Slots by health: active, idle, lagging, stalled or unknown.',
    labelNames: ['health'] as const,
    registers: [registry],
  }),
  mismatchedSlots: new Gauge({
    name: 'truenow_watermark_mismatched_slots',
    help: 'Slots whose serving replicas hold different states at one offset; must be 0.',
    registers: [registry],
  }),
  unbalancedSlots: new Gauge({
    name: 'truenow_watermark_unbalanced_slots',
    help: 'Slots whose counters do not add up (conservation); must be 0.',
    registers: [registry],
  }),
  polls: new Counter({
    name: 'truenow_watermark_polls_total',
    help: 'Questions to shards and ingesters by outcome.',
    labelNames: ['peer', 'outcome'] as const,
    registers: [registry],
  }),
})
export type WatermarkMetrics = ReturnType<typeof createWatermarkMetrics>
