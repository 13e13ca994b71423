import { encodeEventId } from '@truenow/contracts/event-id.ts'
import type { Value } from '@truenow/contracts/gen/truenow/v1/common_pb.ts'
import {
  AggregateFunction,
  CompareOperator,
  type Filter,
  type Plan,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Column, WireType } from '@truenow/contracts/wire/column.ts'
import { encodeColumnBatch, type NamedColumn } from '@truenow/contracts/wire/column-batch-v1.ts'
import {
  aggregateColumnName,
  keyColumnName,
  ROW_COLUMN_NAME,
  SLOT_COLUMN_NAME,
  TIME_COLUMN_NAME,
} from '@truenow/contracts/wire/partial-result-v1.ts'
import { encodeScalarList } from '@truenow/contracts/wire/scalar-list-v1.ts'
import { encodeTopK } from '@truenow/contracts/wire/top-k-v1.ts'

export type Scalar = string | number | boolean | null
export type Row = Readonly<Record<string, Scalar>>
/** The rows of one slot in log order. */
export type SlotRows = Readonly<{ slot: number; rows: readonly Row[] }>
type Cell = Scalar | bigint

/**
 * What a shard must answer, row by row and without a thought for speed: the partial result of `plan` over the rows of
 * some slots, as partial-result-v1.ts describes it. Shares no code with the kernels.
 */
export function bruteForcePartial(plan: Plan, slots: readonly SlotRows[], definition: TableDefinition) {
  const kept = slots.flatMap(({ slot, rows }) =>
    rows.flatMap((row, index) => (keeps(plan, row, definition) ? [{ slot, index, row }] : [])),
  )
  const scanned = slots.reduce((sum, { rows }) => sum + rows.length, 0)
  const types = new Map<string, WireType>([
    [definition.idColumn, 'id128'],
    [definition.timeColumn, 'timestamp'],
    ...definition.columns.map(({ name, type }) => [name, type] as const),
  ])
  const batch =
    plan.shape.case === 'rows'
      ? rowsBatch(plan.shape.value, kept, types, definition.timeColumn)
      : aggregateBatch(plan, kept, types, definition.timeColumn)
  return { batch, rowsScanned: BigInt(scanned), rowsMatched: BigInt(kept.length), rowsFromRollups: 0n }
}

function keeps(plan: Plan, row: Row, definition: TableDefinition): boolean {
  const time = row[definition.timeColumn] as number
  if (time < Number(plan.startUs) || time >= Number(plan.endUs)) return false
  return plan.filter === undefined || truth(plan.filter, row) === true
}

/** SQL's three values: undefined is unknown. */
function truth({ kind }: Filter, row: Row): boolean | undefined {
  switch (kind.case) {
    case 'and':
    case 'or': {
      const stop = kind.case === 'or'
      const values = kind.value.operands.map((operand) => truth(operand, row))
      if (values.includes(stop)) return stop
      return values.includes(undefined) ? undefined : !stop
    }
    case 'not': {
      const value = truth(kind.value, row)
      return value === undefined ? undefined : !value
    }
    case 'comparison': {
      const { column, operator, values } = kind.value
      const cell = row[column] ?? null
      if (operator === CompareOperator.IS_NULL) return cell === null
      if (operator === CompareOperator.IN) {
        if (values.length === 0) return false
        return cell === null ? undefined : values.some((value) => plain(value) === cell)
      }
      return cell === null ? undefined : holds(operator, cell, plain(values[0] as Value))
    }
    default:
      throw new Error('a filter without a kind')
  }
}

function holds(operator: CompareOperator, cell: Cell, value: Cell): boolean {
  if (operator === CompareOperator.LIKE) return like(cell as string, value as string)
  const sign =
    typeof cell === 'string'
      ? Buffer.compare(Buffer.from(cell), Buffer.from(value as string))
      : (cell as number) < (value as number)
        ? -1
        : cell === value
          ? 0
          : 1
  switch (operator) {
    case CompareOperator.EQUAL:
      return sign === 0
    case CompareOperator.NOT_EQUAL:
      return sign !== 0
    case CompareOperator.LESS:
      return sign < 0
    case CompareOperator.LESS_OR_EQUAL:
      return sign <= 0
    case CompareOperator.GREATER:
      return sign > 0
    default:
      return sign >= 0
  }
}

export function like(text: string, pattern: string): boolean {
  const source = [...pattern]
    .map((each) =>
      each === '%' ? '[^]*' : each === '_' ? '[^]' : each.replace(/[\\^$.*+?()[\]{}|]/gu, '\\$&'),
    )
    .join('')
  return new RegExp(`^${source}$`, 'u').test(text)
}

function plain({ kind }: Value): Cell {
  if (kind.case === 'int64Value' || kind.case === 'timestampUs') return Number(kind.value)
  return kind.case === undefined ? null : kind.value
}

type Kept = Readonly<{ slot: number; index: number; row: Row }>

function rowsBatch(
  { columns, limit }: Readonly<{ columns: readonly string[]; limit: number }>,
  kept: readonly Kept[],
  types: ReadonlyMap<string, WireType>,
  timeColumn: string,
): Buffer {
  const newest = kept
    .toSorted(
      (a, b) =>
        (b.row[timeColumn] as number) - (a.row[timeColumn] as number) || a.slot - b.slot || b.index - a.index,
    )
    .slice(0, limit)
  const names = columns.length === 0 ? [...types.keys()] : columns
  const named = names.map((name) => ({
    name,
    column: columnOf(
      types.get(name) as WireType,
      newest.map(({ row }) => row[name] ?? null),
    ),
  }))
  return encodeColumnBatch({
    rowCount: newest.length,
    columns: [
      ...named,
      {
        name: SLOT_COLUMN_NAME,
        column: columnOf(
          'int64',
          newest.map(({ slot }) => slot),
        ),
      },
      {
        name: ROW_COLUMN_NAME,
        column: columnOf(
          'int64',
          newest.map(({ index }) => index),
        ),
      },
      {
        name: TIME_COLUMN_NAME,
        column: columnOf(
          'timestamp',
          newest.map(({ row }) => row[timeColumn] ?? null),
        ),
      },
    ],
  })
}

function aggregateBatch(
  plan: Plan,
  rows: readonly Kept[],
  types: ReadonlyMap<string, WireType>,
  timeColumn: string,
): Buffer {
  if (plan.shape.case !== 'aggregate') throw new Error('not an aggregate')
  const { keys, aggregates } = plan.shape.value
  const groups = new Map<string, { key: Scalar[]; rows: Kept[] }>()
  if (keys.length === 0) groups.set('', { key: [], rows: [] })
  for (const row of rows) {
    const key = keys.map(({ kind }) => {
      if (kind.case === 'column') return row.row[kind.value] ?? null
      const width = Number(kind.value)
      return Math.floor((row.row[timeColumn] as number) / width) * width
    })
    const name = keys.length === 0 ? '' : JSON.stringify(key)
    const group = groups.get(name) ?? { key, rows: [] }
    groups.set(name, group)
    group.rows.push(row)
  }
  const all = [...groups.values()]
  const columns: NamedColumn[] = keys.map(({ kind }, at) => ({
    name: keyColumnName(at),
    column: columnOf(
      kind.case === 'column' ? (types.get(kind.value) as WireType) : 'timestamp',
      all.map(({ key }) => key[at] as Scalar),
    ),
  }))
  for (const [at, { function: name, column }] of aggregates.entries()) {
    const values = all.map(({ rows: members }) =>
      members
        .map(({ row }) => (column === '' ? true : (row[column] ?? null)))
        .filter((cell) => cell !== null),
    )
    const part = (
      suffix: Parameters<typeof aggregateColumnName>[1],
      type: WireType,
      cells: readonly Cell[],
    ) => columns.push({ name: aggregateColumnName(at, suffix), column: columnOf(type, cells) })
    const type = types.get(column) as WireType
    if (name === AggregateFunction.FIRST || name === AggregateFunction.LAST) {
      const best = all.map(({ rows: members }) =>
        chosen(name === AggregateFunction.FIRST ? -1 : 1, members, column, timeColumn),
      )
      part(
        'value',
        type === 'id128' ? 'string' : type,
        best.map((kept) => kept?.row[column] ?? null),
      )
      part(
        'time',
        'timestamp',
        best.map((kept) => kept?.row[timeColumn] ?? 0),
      )
      part(
        'slot',
        'int64',
        best.map((kept) => kept?.slot ?? 0),
      )
      part(
        'row',
        'int64',
        best.map((kept) => kept?.index ?? 0),
      )
      continue
    }
    if (name === AggregateFunction.TOP_K) {
      const valueType = type === 'id128' ? 'string' : (type as ColumnType)
      const states = values.map((cells) => {
        const counts = new Map<string | number, number>()
        for (const cell of cells) {
          const value = typeof cell === 'string' ? cell : Number(cell)
          counts.set(value, (counts.get(value) ?? 0) + 1)
        }
        return encodeTopK(valueType, { form: 'exact', counts })
      })
      columns.push({ name: aggregateColumnName(at, 'sketch'), column: { type: 'bytes', values: states } })
      continue
    }
    if (name === AggregateFunction.COUNT_DISTINCT) {
      const lists = values.map((cells) =>
        encodeScalarList(
          type === 'id128' ? 'string' : (type as ColumnType),
          new Set(cells.map((cell) => (typeof cell === 'string' ? cell : Number(cell)))),
        ),
      )
      columns.push({ name: aggregateColumnName(at, 'sketch'), column: { type: 'bytes', values: lists } })
      continue
    }
    if (name === AggregateFunction.MIN || name === AggregateFunction.MAX) {
      const sign = name === AggregateFunction.MIN ? CompareOperator.LESS : CompareOperator.GREATER
      part(
        'value',
        type,
        values.map((cells) =>
          cells.reduce<Scalar>(
            (best, cell) => (best === null || holds(sign, cell, best) ? cell : best),
            null,
          ),
        ),
      )
      continue
    }
    part(
      'count',
      'int64',
      values.map((cells) => cells.length),
    )
    if (name === AggregateFunction.COUNT) continue
    if (name >= AggregateFunction.VAR_POP && name <= AggregateFunction.STDDEV_SAMP) {
      const means = values.map((cells) => sumOf(cells.map(Number)) / Math.max(1, cells.length))
      part('mean', 'float64', means)
      part(
        'm2',
        'float64',
        values.map((cells, group) => sumOf(cells.map((cell) => (Number(cell) - (means[group] ?? 0)) ** 2))),
      )
      continue
    }
    if (type === 'int64') {
      part(
        'sum',
        'int128',
        values.map((cells) => cells.reduce((sum, cell) => sum + BigInt(cell as number), 0n)),
      )
    } else {
      part(
        'sum',
        'float64',
        values.map((cells) => cells.reduce<number>((sum, cell) => sum + (cell as number), 0)),
      )
      part(
        'compensation',
        'float64',
        values.map(() => 0),
      )
    }
  }
  return encodeColumnBatch({ rowCount: all.length, columns })
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** The row that comes first by event time (in the direction of `sign`), slot and log order. */
function chosen(sign: -1 | 1, rows: readonly Kept[], column: string, timeColumn: string): Kept | undefined {
  return rows
    .filter(({ row }) => (row[column] ?? null) !== null)
    .toSorted(
      (a, b) =>
        ((b.row[timeColumn] as number) - (a.row[timeColumn] as number)) * sign ||
        a.slot - b.slot ||
        (b.index - a.index) * sign,
    )[0]
}

function columnOf(type: WireType, cells: readonly Cell[]): Column {
  const validity = new Uint8Array(Math.ceil(cells.length / 8))
  for (const [row, cell] of cells.entries()) if (cell !== null) validity[row >>> 3]! |= 1 << (row & 7)
  const nulls = cells.includes(null) ? { validity } : {}
  switch (type) {
    case 'string': {
      const dictionary = [...new Set(cells.map((cell) => (cell ?? '') as string))]
      return {
        type,
        dictionary,
        codes: Uint32Array.from(cells, (cell) => dictionary.indexOf((cell ?? '') as string)),
        ...nulls,
      }
    }
    case 'bool':
      return { type, values: Uint8Array.from(cells, Number), ...nulls }
    case 'id128': {
      const values = new Uint8Array(cells.length * 16)
      for (const [row, cell] of cells.entries()) encodeEventId(cell as string, values, row * 16)
      return { type, values }
    }
    case 'int128':
      return { type, values: cells as bigint[] }
    case 'bytes':
      throw new TypeError('states are not made of cells')
    default:
      return { type, values: Float64Array.from(cells, Number), ...nulls }
  }
}
