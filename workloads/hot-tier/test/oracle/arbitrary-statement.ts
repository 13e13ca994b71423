import type { QueryStatement } from '@truenow/contracts/query-statement.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'
import { AGGREGATE_SQL, ORACLE_AGGREGATES, type OracleAggregate } from './aggregate-sql.ts'
import { arbitraryCell, type CellStyle, START_US } from './arbitrary-cell.ts'

/** A column as a statement may name it, with values that its rows hold. */
type Named = Readonly<{
  name: string
  type: TableDefinition['columns'][number]['type'] | 'id'
  value: fc.Arbitrary<unknown>
}>
type Tree = Record<string, unknown>

const BUCKETS = ['1us', '250ms', '1s', '7s', '1m', '1h', '1d']
const PATTERNS = [
  '%',
  '_',
  '',
  'a%',
  '%b',
  '%a%',
  'a_b',
  'us-%',
  '__',
  '%\\%',
  '\\_',
  'u1%',
  '%/%',
  '_%_',
  'ü',
  '%%a%%',
]
const SPAN_US = 120_000_000

/**
 * Statements over one table version: groups and aggregates four times of five, else rows. Where it has rollups, half of
 * them ask what one of these could tell.
 */
export function arbitraryStatement(
  definition: TableDefinition,
  styles: readonly CellStyle[],
): fc.Arbitrary<QueryStatement> {
  const columns: Named[] = [
    { name: definition.idColumn, type: 'id', value: fc.nat(30).map((number) => `id-${number}`) },
    {
      name: definition.timeColumn,
      type: 'timestamp',
      value: fc.integer({ min: -5_000_000, max: 20_000_000 }).map((us) => START_US + us),
    },
    ...definition.columns.map(({ name, type }, at) => ({
      name,
      type,
      value: arbitraryCell(type, styles[at] as CellStyle, false),
    })),
  ]
  const head = { range, filters: fc.option(filtersOf(columns), { nil: undefined, freq: 1 }) }
  const base = { namespace: definition.namespace, table: definition.name }
  const rows = fc
    .record({
      ...head,
      columns: fc.option(
        fc.subarray(
          columns.map(({ name }) => name),
          { minLength: 1 },
        ),
        { nil: undefined },
      ),
      limit: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
    })
    .map(({ range: times, ...rest }) => ({ ...base, ...times, ...present(rest) }))
  const any = fc.oneof(
    { weight: 4, arbitrary: aggregatesOf({ keys: columns, metrics: columns }, head, base) },
    { weight: 1, arbitrary: rows },
  )
  const aimed = (definition.rollups ?? []).map(({ dimensions, metrics }) => {
    const named = (names: readonly string[]) => columns.filter(({ name }) => names.includes(name))
    const keys = named(dimensions)
    const filters =
      keys.length === 0 ? fc.constant(undefined) : fc.option(filtersOf(keys), { nil: undefined })
    return aggregatesOf({ keys, metrics: named(metrics) }, { range, filters }, base)
  })
  return aimed.length === 0 ? any : fc.oneof(any, fc.oneof(...aimed))
}

const range = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ start_time: 0, end_time: START_US * 2 }) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: -SPAN_US / 4, max: SPAN_US / 4 }), fc.integer({ min: 1, max: SPAN_US }))
      .map(([from, length]) => ({ start_time: START_US + from, end_time: START_US + from + length })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(0, 1_000_000)
      .map((us) => ({ start_time: START_US + us, end_time: START_US + us + 1 })),
  },
)

function aggregatesOf(
  columns: Readonly<{ keys: readonly Named[]; metrics: readonly Named[] }>,
  head: { range: typeof range; filters: fc.Arbitrary<Tree | undefined> },
  base: Pick<QueryStatement, 'namespace' | 'table'>,
) {
  const bucket = fc.constantFrom(...BUCKETS).map((time_bucket) => ({ time_bucket }))
  const keyNames = columns.keys.map(({ name }) => name)
  const key = fc.oneof(
    { weight: 4, arbitrary: keyNames.length === 0 ? bucket : fc.constantFrom(...keyNames) },
    { weight: 1, arbitrary: bucket },
  )
  const keys = fc.uniqueArray(key, {
    maxLength: 3,
    selector: (each) => (typeof each === 'string' ? each : 'time_bucket'),
  })
  const calls = fc.uniqueArray(callOf(columns.metrics), {
    minLength: 1,
    maxLength: 4,
    selector: ({ aggregate, metric }) => `${aggregate} ${metric}`,
  })
  const order = fc.array(fc.record({ at: fc.nat(6), descending: fc.boolean() }), { maxLength: 2 })
  const limit = fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined })
  return fc
    .record({ ...head, keys, calls, order, limit })
    .map(
      ({
        range: times,
        filters,
        keys: groupBy,
        calls: aggregates,
        order: by,
        limit: most,
      }): QueryStatement => {
        const names = [
          ...groupBy.map((each) => (typeof each === 'string' ? each : 'time_bucket')),
          ...aggregates.map(outputName),
        ]
        const orderBy = by.map(({ at, descending }) => ({
          column: names[at % names.length] as string,
          descending,
        }))
        // Sums that differ in their last bit may stand in either order: a limit behind them would cut different rows.
        const approximate = orderBy.some(({ column }) =>
          aggregates.some((call) => outputName(call) === column && isInexact(call, columns.metrics)),
        )
        return {
          ...base,
          ...times,
          ...present({
            filters,
            group_by: groupBy,
            aggregates,
            order_by: orderBy,
            limit: approximate ? undefined : most,
          }),
        }
      },
    )
}

type Call = NonNullable<QueryStatement['aggregates']>[number]
export const outputName = ({ aggregate, metric }: Call): string =>
  metric === undefined ? aggregate : `${aggregate}_${metric}`

const isInexact = ({ aggregate, metric }: Call, columns: readonly Named[]): boolean => {
  const type = columns.find(({ name }) => name === metric)?.type
  return type !== undefined && type !== 'id' && !AGGREGATE_SQL[aggregate as OracleAggregate].isExact(type)
}

/** Every aggregate that DuckDB is asked for, over each column that it takes. */
function callOf(columns: readonly Named[]): fc.Arbitrary<Call> {
  const calls = ORACLE_AGGREGATES.flatMap((aggregate) =>
    columns
      .filter(({ type }) => AGGREGATE_SQL[aggregate].takes.includes(type))
      .map(({ name }): Call => ({ aggregate, metric: name })),
  )
  return fc.constantFrom<Call>({ aggregate: 'count' }, ...calls)
}

function filtersOf(columns: readonly Named[]): fc.Arbitrary<Tree> {
  const leaf = fc.oneof(...columns.map(leafOf))
  return fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      { weight: 4, arbitrary: leaf },
      { weight: 1, arbitrary: fc.record({ not: tie('tree') }) },
      { weight: 1, arbitrary: fc.record({ and: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ or: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) }) },
      { weight: 1, arbitrary: fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b })) },
    ),
  })).tree
}

function leafOf({ name, type, value }: Named): fc.Arbitrary<Tree> {
  const list = fc.array(fc.option(value, { nil: null, freq: 5 }), { maxLength: 4 })
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
  const like = fc.record({ like: fc.constantFrom(...PATTERNS) })
  const conditions = fc.oneof(
    ...equalities,
    ...(hasOrder ? [bounds, bounds] : []),
    ...(type === 'string' ? [like, like] : []),
  )
  return fc
    .oneof(fc.option(value, { nil: null, freq: 6 }), list, conditions)
    .map((condition) => ({ [name]: condition }))
}

function present<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: NonNullable<Fields[Name]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Name in keyof Fields]: NonNullable<Fields[Name]> }
}
