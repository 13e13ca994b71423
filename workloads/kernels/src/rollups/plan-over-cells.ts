import {
  type AggregateCall,
  AggregateFunction,
  type AggregatePlan,
  type Filter,
  type Plan,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnDefinition, TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch, NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import {
  aggregateColumnName,
  keyColumnName,
  type StatePart,
} from '@truenow/contracts/wire/partial-result-v1.ts'
import { type CellPart, cellColumn, ROWS_COLUMN } from './cell-columns.ts'
import type { CellNeed } from './cover-range.ts'

/** A plan as it is asked of cells: an aggregate plan again, over their columns. */
export type CellsPlan = Readonly<{
  need: CellNeed
  plan: Plan
  definition: TableDefinition
  /** The partial result of the original plan, from that of this one; and rows that its cells stand for. */
  translate: (batch: ColumnBatch) => Readonly<{ batch: ColumnBatch; rowCount: number }>
}>

const { COUNT, SUM, AVG, MIN, MAX } = AggregateFunction
const TWO_TO_32 = 32n

/**
 * What a plan is over cells; undefined when cells cannot tell: it asks for rows, or for an aggregate that is not made of
 * counts, sums and extremes of integers and floats.
 */
export function planOverCells(plan: Plan, definition: TableDefinition): CellsPlan | undefined {
  if (plan.rowsOnly || plan.shape.case !== 'aggregate') return undefined
  const { keys, aggregates } = plan.shape.value
  const typeOf = (name: string) => definition.columns.find((column) => column.name === name)?.type
  const parts = aggregates.map((call) => partsOf(call, typeOf(call.column)))
  const [first] = aggregates
  if (first === undefined || !parts.every((some) => some !== undefined)) return undefined
  const names = [...new Set([ROWS_COLUMN, ...parts.flatMap((some) => Object.values(some))])]
  const calls = names.map((column): AggregateCall => ({ ...first, function: functionOf(column), column }))
  const value: AggregatePlan = { ...plan.shape.value, aggregates: calls }
  const metrics = aggregates.map(({ column }) => column).filter((column) => column !== '')
  return {
    need: {
      columns: [
        ...filterColumns(plan.filter),
        ...keys.flatMap(({ kind }) => (kind.case === 'column' ? [kind.value] : [])),
      ],
      metrics,
      bucketsUs: keys.flatMap(({ kind }) => (kind.case === 'timeBucketUs' ? [Number(kind.value)] : [])),
    },
    plan: { ...plan, shape: { case: 'aggregate', value } },
    definition: { ...definition, columns: [...definition.columns, ...cellColumns(names, typeOf)] },
    translate: (batch) => translated(plan.shape.value as AggregatePlan, parts, names, batch),
  }
}

/** By part of the call's state: the column of cells that it is made of. */
type Parts = Readonly<Partial<Record<StatePart | 'rest' | 'high' | 'low', string>>>

function partsOf(
  { function: aggregate, column }: AggregateCall,
  type: string | undefined,
): Parts | undefined {
  if (aggregate === COUNT && column === '') return { count: ROWS_COLUMN }
  if (type !== 'int64' && type !== 'float64') return undefined
  const of = (part: CellPart) => cellColumn(column, part)
  switch (aggregate) {
    case COUNT:
      return { count: of('count') }
    case SUM:
    case AVG:
      return type === 'float64'
        ? { sum: of('sum'), rest: of('rest'), count: of('count') }
        : { high: of('high'), low: of('low'), count: of('count') }
    case MIN:
      return { value: of('min') }
    case MAX:
      return { value: of('max') }
    default:
      return undefined
  }
}

const functionOf = (column: string): AggregateFunction =>
  column.endsWith('$min') ? MIN : column.endsWith('$max') ? MAX : SUM

function cellColumns(
  names: readonly string[],
  typeOf: (metric: string) => ColumnDefinition['type'] | undefined,
): ColumnDefinition[] {
  return names.map((name) => {
    const isCount = name === ROWS_COLUMN || name.endsWith('$count')
    return {
      name,
      type: isCount ? 'int64' : (typeOf(name.slice(0, name.lastIndexOf('$'))) ?? 'int64'),
      nullable: true,
    }
  })
}

function* filterColumns(filter: Filter | undefined): Generator<string> {
  switch (filter?.kind.case) {
    case 'and':
    case 'or':
      for (const operand of filter.kind.value.operands) yield* filterColumns(operand)
      return
    case 'not':
      yield* filterColumns(filter.kind.value)
      return
    case 'comparison':
      yield filter.kind.value.column
      return
    default:
  }
}

function translated(
  { keys }: AggregatePlan,
  parts: readonly Parts[],
  names: readonly string[],
  batch: ColumnBatch,
): Readonly<{ batch: ColumnBatch; rowCount: number }> {
  const byName = new Map(batch.columns.map(({ name, column }) => [name, column]))
  const state = (column: string, part: StatePart) =>
    byName.get(aggregateColumnName(names.indexOf(column), part)) as Column
  const counts = (column: string) => Float64Array.from(integersOf(state(column, 'sum')), Number)
  const columns: NamedColumn[] = keys.map((_, at) => {
    const name = keyColumnName(at)
    return { name, column: byName.get(name) as Column }
  })
  for (const [at, { count, sum, rest, high, low, value }] of parts.entries()) {
    const add = (part: StatePart, column: Column) =>
      columns.push({ name: aggregateColumnName(at, part), column })
    if (sum !== undefined && rest !== undefined) {
      const [main, more] = [doublesOf(state(sum, 'sum')), doublesOf(state(sum, 'compensation'))]
      const [other, least] = [doublesOf(state(rest, 'sum')), doublesOf(state(rest, 'compensation'))]
      add('sum', { type: 'float64', values: main })
      const values = more.map((term, group) => term + other[group]! + least[group]!)
      add('compensation', { type: 'float64', values })
    }
    if (high !== undefined && low !== undefined) {
      const [upper, lower] = [integersOf(state(high, 'sum')), integersOf(state(low, 'sum'))]
      add('sum', { type: 'int128', values: upper.map((half, group) => (half << TWO_TO_32) + lower[group]!) })
    }
    if (value !== undefined) add('value', state(value, 'value'))
    if (count !== undefined) add('count', { type: 'int64', values: counts(count) })
  }
  const rowCount = counts(ROWS_COLUMN).reduce((total, one) => total + one, 0)
  return { batch: { rowCount: batch.rowCount, columns }, rowCount }
}

function doublesOf(column: Column): Float64Array {
  if (column.type !== 'float64') throw new TypeError(`a sum of floats as ${column.type}`)
  return column.values
}

function integersOf(column: Column): readonly bigint[] {
  if (column.type !== 'int128') throw new TypeError(`a sum of integers as ${column.type}`)
  const { values } = column
  return Array.from({ length: values.length }, (_, group) => values.at(group)!)
}
