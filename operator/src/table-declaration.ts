import { ROLLUP_STEPS_US, type TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Table } from './api/v1alpha1/table.ts'
import { microsecondsOfDuration } from './duration.ts'
import { tableIdentity } from './table-identity.ts'

/** What a Table object declares to the control plane, which numbers its versions. Pure. Errors: RangeError of a duration. */
export function tableDeclaration(table: Table): Omit<TableDefinition, 'version'> {
  const { spec } = table
  return {
    ...tableIdentity(table),
    columns: spec.columns.map(({ name, type, nullable }) => ({
      name,
      type: type as TableDefinition['columns'][number]['type'],
      nullable: nullable ?? false,
    })),
    timeColumn: spec.timeColumn,
    idColumn: spec.idColumn,
    partitionBy: [...(spec.partitionBy ?? [])],
    slots: spec.slots,
    retentionUs: microsecondsOfDuration(spec.retention),
    allowedLatenessUs: microsecondsOfDuration(spec.allowedLateness),
    dedupWindowUs: microsecondsOfDuration(spec.dedupWindow),
    maxFutureSkewUs: microsecondsOfDuration(spec.maxFutureSkew),
    idleTimeoutUs: microsecondsOfDuration(spec.idleTimeout),
    onMemoryFull: spec.onMemoryFull as TableDefinition['onMemoryFull'],
    ...(spec.rollups === undefined ? {} : { rollups: spec.rollups.map(rollupDefinition) }),
  }
}

const rollupDefinition = ({
  dimensions,
  metrics,
  granularity,
}: NonNullable<Table['spec']['rollups']>[number]) => ({
  dimensions: [...dimensions],
  metrics: [...metrics],
  granularityUs: ROLLUP_STEPS_US[granularity as keyof typeof ROLLUP_STEPS_US],
})
