import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'

/** What a statement may name. `id` is the event id: text to people, 16 bytes inside, so equality only. */
export type QueryColumn = Readonly<{ name: string; type: ColumnType | 'id'; nullable: boolean }>

/** Every column of a table version by name: id, event time, then its own, in the order that answers show. */
export function tableColumns(definition: TableDefinition): ReadonlyMap<string, QueryColumn> {
  const columns: QueryColumn[] = [
    { name: definition.idColumn, type: 'id', nullable: false },
    { name: definition.timeColumn, type: 'timestamp', nullable: false },
    ...definition.columns,
  ]
  return new Map(columns.map((column) => [column.name, column]))
}
