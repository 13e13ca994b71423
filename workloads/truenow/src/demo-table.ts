import type { TableDefinition } from '@truenow/contracts/table-definition.ts'

const SECOND_US = 1_000_000

/** The table of dev mode: the same as the quickstart's on Kubernetes. */
export const DEMO_TABLE: Omit<TableDefinition, 'version'> = {
  namespace: 'production',
  name: 'events',
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'product', type: 'string', nullable: false },
    { name: 'user_id', type: 'string', nullable: false },
    { name: 'latency_us', type: 'int64', nullable: true },
    { name: 'revenue', type: 'float64', nullable: false },
    { name: 'items', type: 'int64', nullable: false },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: ['user_id'],
  slots: 8,
  retentionUs: 3_600 * SECOND_US,
  allowedLatenessUs: 10 * SECOND_US,
  dedupWindowUs: 600 * SECOND_US,
  maxFutureSkewUs: 60 * SECOND_US,
  idleTimeoutUs: 5 * SECOND_US,
  onMemoryFull: 'Evict',
  rollups: [{ dimensions: ['region', 'product'], metrics: ['revenue'], granularityUs: SECOND_US }],
}
