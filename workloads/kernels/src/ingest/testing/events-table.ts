import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { compileEventSchema } from '../event-schema.ts'

/** A table with a column of every type, some nullable, for tests of reading and building. */
export const eventsTable: TableDefinition = {
  namespace: 'production',
  name: 'events',
  version: 3,
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'note', type: 'string', nullable: true },
    { name: 'items', type: 'int64', nullable: true },
    { name: 'revenue', type: 'float64', nullable: true },
    { name: 'paid', type: 'bool', nullable: true },
    { name: 'shipped_us', type: 'timestamp', nullable: true },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: ['region'],
  slots: 4,
  retentionUs: 3_600_000_000,
  allowedLatenessUs: 0,
  dedupWindowUs: 0,
  maxFutureSkewUs: 60_000_000,
  idleTimeoutUs: 0,
  onMemoryFull: 'Evict',
}
export const eventsSchema = compileEventSchema(eventsTable)
/** 2025-08-09T20:46:40Z, the gateway's clock in these tests. */
export const NOW_US = 1_754_772_400_000_000
