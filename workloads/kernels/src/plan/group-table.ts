import { TrueNowError } from '@truenow/contracts/errors.ts'
import type { AggregatePlan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch, NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import {
  aggregateColumnName,
  keyColumnName,
  type StatePart,
} from '@truenow/contracts/wire/partial-result-v1.ts'
import type { Accumulator } from '../aggregates/accumulator.ts'
import { StateBudget } from '../aggregates/state-budget.ts'
import { stateColumn } from '../aggregates/state-column.ts'
import { createAccumulator, type StateBudgets } from './create-accumulator.ts'
import { GroupNumbers, KeyCodes } from './group-keys.ts'
import type { RowSource } from './row-source.ts'

/** The groups of an aggregate plan with their partial states: rows and other partials go in, a partial result comes out. */
export class GroupTable {
  private readonly plan: AggregatePlan
  private readonly keys: readonly KeyCodes[]
  private readonly accumulators: readonly Accumulator[]
  private readonly numbers = new GroupNumbers()

  constructor(plan: AggregatePlan, definition: TableDefinition) {
    this.plan = plan
    this.keys = plan.keys.map(
      ({ kind }) => new KeyCodes(kind.case === 'column' ? typeOf(definition, kind.value) : 'timestamp'),
    )
    const budgets = budgetsOf(plan)
    this.accumulators = plan.aggregates.map((call) =>
      createAccumulator(call, call.column === '' ? undefined : typeOf(definition, call.column), budgets),
    )
    if (plan.keys.length === 0) this.numbers.number([], 0) // One group, even over no rows.
    this.grow()
  }

  get groups(): number {
    return this.numbers.count
  }

  /** Adds the selected rows of a source. Errors: TN_QUERY_LIMIT when the groups are more than the plan allows. */
  update(source: RowSource, rows: Uint32Array, count: number): void {
    const codes = this.plan.keys.map(({ kind }, index) => {
      const key = this.keys[index]!
      if (kind.case === 'timeBucketUs') return key.ofTimes(source.times, rows, count, Number(kind.value))
      return key.ofColumn(source.column(String(kind.value)), rows, count)
    })
    const groups = this.numbers.number(codes, count)
    this.grow()
    for (const [index, { column }] of this.plan.aggregates.entries()) {
      const of = column === '' ? undefined : source.column(column)
      this.accumulators[index]!.update(of, rows, groups, count, source)
    }
  }

  /** Adds a partial result of the same plan. Errors: TN_BLOCK_CORRUPT when it is not one; TN_QUERY_LIMIT as above. */
  merge(batch: ColumnBatch): void {
    const byName = new Map(batch.columns.map(({ name, column }) => [name, column]))
    const need = (name: string): Column => {
      const column = byName.get(name)
      if (column === undefined)
        throw new TrueNowError('TN_BLOCK_CORRUPT', `A partial result lacks the column ${name}.`)
      return column
    }
    const codes = this.keys.map((key, index) =>
      key.ofColumn(stateColumn(need, keyColumnName(index), key.type), undefined, batch.rowCount),
    )
    const groups = this.numbers.number(codes, batch.rowCount)
    this.grow()
    for (const [index, accumulator] of this.accumulators.entries()) {
      accumulator.merge((part) => need(aggregateColumnName(index, part as StatePart)), groups, batch.rowCount)
    }
  }

  /** The partial result, groups in order of appearance. */
  batch(): ColumnBatch {
    const columns: NamedColumn[] = this.keys.map((key, index) => ({
      name: keyColumnName(index),
      column: key.columnOf(this.numbers.codesOf(index)),
    }))
    for (const [index, accumulator] of this.accumulators.entries()) {
      for (const { name, column } of accumulator.columns(this.groups)) {
        columns.push({ name: aggregateColumnName(index, name as StatePart), column })
      }
    }
    return { rowCount: this.groups, columns }
  }

  private grow(): void {
    const { groupsMax } = this.plan
    if (groupsMax > 0 && this.groups > groupsMax) throw groupsLimitError(groupsMax)
    for (const accumulator of this.accumulators) accumulator.reserve(this.groups)
  }
}

export function groupsLimitError(max: number): TrueNowError {
  const message = `The query has more than ${max} groups (QUERY_GROUPS_MAX); group by fewer or coarser keys.`
  return new TrueNowError('TN_QUERY_LIMIT', message, { details: { limit: 'QUERY_GROUPS_MAX', max } })
}

/** What the states of a query may hold, by its plan. */
export function budgetsOf({ distinctValuesMax, sketchBytesMax }: AggregatePlan): StateBudgets {
  const coarser = 'group by fewer or coarser keys'
  return {
    values: new StateBudget(
      'QUERY_DISTINCT_VALUES_MAX',
      distinctValuesMax,
      `use approx_count_distinct, or ${coarser}`,
    ),
    bytes: new StateBudget('QUERY_SKETCH_BYTES_MAX', Number(sketchBytesMax), coarser),
  }
}

/** Type of a column by name, the id (as text) and time columns included. */
export function typeOf(definition: TableDefinition, name: string): ColumnType {
  if (name === definition.idColumn) return 'string'
  if (name === definition.timeColumn) return 'timestamp'
  const column = definition.columns.find((one) => one.name === name)
  if (column === undefined) {
    const message = `Version ${definition.version} of ${definition.namespace}.${definition.name} has no column ${name}.`
    throw new TrueNowError('TN_COLUMN_UNKNOWN', message)
  }
  return column.type
}
