import type { AggregateName, QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'
import { AGGREGATE_SQL, AGGREGATES, isExact } from './aggregate-sql.ts'
import { arbitraryCell, type Cell, START_US } from './arbitrary-cell.ts'
import type { ColumnShape } from './arbitrary-table.ts'
import { type Call, outputName } from './calls-of.ts'

/** A column as a statement may name it, with values that its rows hold. */
type Named = Readonly<{
  name: string
  type: TableDefinition['columns'][number]['type'] | 'id'
  value: fc.Arbitrary<unknown>
}>
export type NamedValues = Readonly<{
  instants: readonly number[]
  ids: readonly string[]
  /** By column. */
  cells: ReadonlyArray<readonly Cell[]>
}>
type Range = Pick<QueryStatement, 'start_time' | 'end_time'>
type Tree = Record<string, unknown>
type Key = NonNullable<QueryStatement['group_by']>[number]
type Base = Pick<QueryStatement, 'namespace' | 'table'>
/** What keys, filters and calls may name. */
type Choice = Readonly<{
  keys: readonly Named[]
  metrics: readonly Named[]
  names: readonly AggregateName[]
}>
type Head = Readonly<{ range: fc.Arbitrary<Range>; filters: fc.Arbitrary<Tree | undefined> }>

const BUCKETS = ['1us', '250ms', '1s', '7s', '1m', '1h', '1d']
const PATTERNS = ['%', '_', '', 'a%', '%b', '%a%', 'a_b', 'us-%', '__', '%\\%', '\\_', '\\%', 'u1%', '%/%', '_%_', 'ü', '%%a%%', '%_%_%'] // biome-ignore format: one line
const QUANTILES = [0, 1, 0.5, 0.25, 0.75, 0.01, 0.999]
/** Aggregates that cells of rollups tell (plan-over-cells.ts). */
const OF_CELLS: readonly AggregateName[] = ['count', 'sum', 'avg', 'min', 'max']
const SPAN_US = 120_000_000
const SECOND_US = 1_000_000

/**
 * Statements over one table version: groups and aggregates four times of five, else rows; where it has rollups over columns,
 * half of them ask what one of these could tell. `named` is what some rows of the table have, so that ranges begin and end
 * where rows stand, and filters meet them.
 */
export function arbitraryStatement(
  definition: TableDefinition,
  shapes: readonly ColumnShape[],
  named: NamedValues,
): fc.Arbitrary<QueryStatement> {
  const instant = instantOf(named.instants)
  const columns: Named[] = [
    {
      name: definition.idColumn,
      type: 'id',
      value: fc.oneof(
        fc.nat(30).map((number) => `id-${number}`),
        fc.constantFrom('an-id-of-many-characters-0', ...named.ids),
      ),
    },
    { name: definition.timeColumn, type: 'timestamp', value: instant },
    ...definition.columns.map(({ name, type }, at) => ({
      name,
      type,
      value: valueLike(shapes[at]!, named.cells[at]!),
    })),
  ]
  const head: Head = {
    range: rangeOf(instant),
    filters: fc.option(filtersOf(columns), { nil: undefined, freq: 2 }),
  }
  const base = { namespace: definition.namespace, table: definition.name }
  const any = fc.oneof(
    {
      weight: 4,
      arbitrary: aggregatesOf({ keys: columns, metrics: columns, names: AGGREGATES }, head, base),
    },
    { weight: 1, arbitrary: rowsOf(columns, head, base, definition.timeColumn) },
  )
  // Those without a column tell counts by time only: not worth half of the statements.
  const told = (definition.rollups ?? []).filter(
    ({ dimensions, metrics }) => dimensions.length + metrics.length > 0,
  )
  const aimed = told.map(({ dimensions, metrics }) => {
    const among = (names: readonly string[]) => columns.filter(({ name }) => names.includes(name))
    const keys = among(dimensions)
    const filters =
      keys.length === 0 ? fc.constant(undefined) : fc.option(filtersOf(keys), { nil: undefined, freq: 2 })
    return aggregatesOf({ keys, metrics: among(metrics), names: OF_CELLS }, { ...head, filters }, base)
  })
  return aimed.length === 0 ? any : fc.oneof(any, fc.oneof(...aimed))
}

/** Event times: those of rows, the second in which they lie, or any around. */
const instantOf = (instants: readonly number[]): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min: -SPAN_US / 4, max: SPAN_US / 4 }).map((us) => START_US + us),
    fc.constantFrom(START_US, ...instants),
    fc.constantFrom(START_US, ...instants).map((us) => us - (us % SECOND_US)),
  )

/** A value for filters: that of a row, or any of its style. */
function valueLike({ type, style }: ColumnShape, cells: readonly Cell[]): fc.Arbitrary<unknown> {
  const any = arbitraryCell(type, style, 'none')
  return cells.length === 0 ? any : fc.oneof(any, fc.constantFrom(...cells))
}

function rangeOf(instant: fc.Arbitrary<number>): fc.Arbitrary<Range> {
  const nudge = fc.constantFrom(0, 0, 1, -1)
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant({ start_time: 0, end_time: START_US * 2 }) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(instant, fc.integer({ min: 1, max: SPAN_US }))
        .map(([start, length]) => ({ start_time: start, end_time: start + length })),
    },
    {
      weight: 3,
      arbitrary: fc.tuple(instant, instant, nudge, nudge).map(([one, other, before, after]) => {
        const start = Math.min(one, other) + before
        return { start_time: start, end_time: Math.max(start + 1, Math.max(one, other) + after) }
      }),
    },
  )
}

function rowsOf(columns: readonly Named[], head: Head, base: Base, timeColumn: string) {
  const names = columns.map(({ name }) => name)
  return fc
    .record({
      ...head,
      columns: fc.option(fc.subarray(names, { minLength: 1 }), { nil: undefined }),
      limit: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
      order_by: fc.boolean().map((named) => (named ? [{ column: timeColumn, descending: true }] : undefined)),
    })
    .map(({ range, ...rest }): QueryStatement => ({ ...base, ...range, ...present(rest) }))
}

function aggregatesOf({ keys, metrics, names }: Choice, head: Head, base: Base) {
  const bucket = fc.constantFrom(...BUCKETS).map((time_bucket) => ({ time_bucket }))
  const key: fc.Arbitrary<Key> =
    keys.length === 0
      ? bucket
      : fc.oneof(
          { weight: 4, arbitrary: fc.constantFrom(...keys.map(({ name }) => name)) },
          { weight: 1, arbitrary: bucket },
        )
  const keyName = (each: Key) => (typeof each === 'string' ? each : 'time_bucket')
  const drawn = {
    // Many keys give many small groups, where hardly anything overflows or is sketched.
    grouped: fc.oneof<fc.MaybeWeightedArbitrary<Key[]>[]>(
      { weight: 2, arbitrary: fc.constant<Key[]>([]) },
      { weight: 3, arbitrary: fc.tuple(key) },
      { weight: 2, arbitrary: fc.uniqueArray(key, { maxLength: 3, selector: keyName }) },
    ),
    calls: fc.uniqueArray(callOf(metrics, names), { minLength: 1, maxLength: 4, selector: outputName }),
    order: fc.array(fc.record({ at: fc.nat(6), descending: fc.boolean() }), { maxLength: 2 }),
    limit: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    classic: fc.boolean(),
  }
  return fc
    .record({ ...head, ...drawn })
    .map(({ range, filters, grouped, calls, order, limit, classic }): QueryStatement => {
      const orderable = calls.filter(({ aggregate }) => AGGREGATE_SQL[aggregate].gives !== 'list')
      const outputs = [...grouped.map(keyName), ...orderable.map(outputName)]
      const orderBy = outputs.length === 0 ? [] : order
      const by = orderBy.map(({ at, descending }) => ({ column: outputs[at % outputs.length]!, descending }))
      // Values that differ in their last bit may stand in either order: a limit behind them would cut different rows.
      const inexact = calls.filter((call) => !isExactCall(call, metrics)).map(outputName)
      const isCut = !by.some(({ column }) => inexact.includes(column))
      const [only] = calls
      const called =
        classic && calls.length === 1 && only?.as === undefined ? { ...only } : { aggregates: calls }
      return {
        ...base,
        ...range,
        ...called,
        ...present({ filters, group_by: grouped, order_by: by, limit: isCut ? limit : undefined }),
      }
    })
}

function isExactCall(call: Call, columns: readonly Named[]): boolean {
  const { type } = columns.find(({ name }) => name === call.metric) ?? {}
  return type === undefined || isExact(AGGREGATE_SQL[call.aggregate].of(call.metric ?? '', type, call))
}

/** Some aggregates, each as often as its weight says, over the columns that it takes. */
function callOf(columns: readonly Named[], aggregates: readonly AggregateName[]): fc.Arbitrary<Call> {
  const as = fc.option(
    fc.nat(99).map((number) => `named_${number}`),
    { nil: undefined, freq: 8 },
  )
  const calls = aggregates.flatMap((aggregate) => {
    const { takes, weight } = AGGREGATE_SQL[aggregate]
    const names = columns.filter(({ type }) => takes.includes(type)).map(({ name }) => name)
    if (names.length === 0) return []
    const metric = fc.constantFrom(...names)
    const arbitrary = fc
      .record({ aggregate: fc.constant(aggregate), metric, as, ...parametersOf(aggregate) })
      .map((call) => present(call) as Call)
    return [{ weight, arbitrary }]
  })
  return fc.oneof({ weight: 2, arbitrary: fc.constant<Call>({ aggregate: 'count' }) }, ...calls)
}

function parametersOf(aggregate: AggregateName) {
  const q = fc.oneof(fc.constantFrom(...QUANTILES), fc.double({ min: 0, max: 1, noNaN: true }))
  const k = fc.option(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(256)), { nil: undefined })
  return { ...(aggregate === 'quantile' ? { q } : {}), ...(aggregate === 'top_k' ? { k } : {}) }
}

function filtersOf(columns: readonly Named[]): fc.Arbitrary<Tree> {
  // Texts have more kinds of conditions than others.
  const leaf = fc.oneof(
    ...columns.map((column) => ({ weight: column.type === 'string' ? 3 : 1, arbitrary: leafOf(column) })),
  )
  return fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      { weight: 4, arbitrary: leaf },
      { weight: 2, arbitrary: fc.record({ not: tie('tree') }) },
      { weight: 1, arbitrary: fc.record({ and: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ or: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }) },
      { weight: 1, arbitrary: fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b })) },
    ),
  })).tree
}

function leafOf({ name, type, value }: Named): fc.Arbitrary<Tree> {
  const listed = fc.option(value, { nil: null, freq: 5 })
  const list = fc.oneof(
    { weight: 3, arbitrary: fc.array(listed, { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(listed, { minLength: 9, maxLength: 14 }) },
  )
  const equalities = [
    fc.record({ eq: fc.option(value, { nil: null }) }),
    fc.record({ ne: fc.option(value, { nil: null }) }),
    fc.record({ in: list }),
  ]
  const hasOrder = type !== 'id' && type !== 'bool'
  const bounds = fc.dictionary(fc.constantFrom('gt', 'gte', 'lt', 'lte', 'ne'), value, {
    minKeys: 1,
    maxKeys: 2,
  })
  const like = fc.record({
    like: fc.oneof(fc.constantFrom(...PATTERNS), patternOf(value as fc.Arbitrary<string>)),
  })
  const conditions = fc.oneof(
    ...equalities,
    ...(hasOrder ? [bounds, bounds] : []),
    ...(type === 'string' ? [like, like, like, like, like] : []),
  )
  return fc
    .oneof(fc.option(value, { nil: null, freq: 6 }), list, conditions, conditions)
    .map((condition) => ({ [name]: condition }))
}

/** A pattern that a text of the column nearly or fully matches. */
function patternOf(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(text, fc.nat(9), fc.nat(4)).map(([value, place, kind]) => {
    const points = [...value]
    const at = place % (points.length + 1)
    const [before, after] = [points.slice(0, at).join(''), points.slice(at).join('')]
    const rest = points.slice(at + 1).join('')
    return [`${before}%`, `%${after}`, `${before}_${rest}`, `%${rest}%`, `${before}%${rest}`][kind]!
  })
}

function present<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: NonNullable<Fields[Name]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Name in keyof Fields]: NonNullable<Fields[Name]> }
}
