import { like, type Row, type Scalar } from './brute-force-partial.ts'

type Statement = Readonly<Record<string, unknown>> & Readonly<{ start_time: number; end_time: number }>

/**
 * The answer to a statement, straight from its JSON and the rows, as a person would work it out: no plan, no partial
 * results, no merge. Rows in the order of the answer; a sum of integers as bigint.
 */
export function oracleRows(statement: Statement, rows: readonly Row[]): Array<Record<string, unknown>> {
  const kept = rows.filter((row) => {
    const time = row.event_time_us as number
    return (
      time >= statement.start_time && time < statement.end_time && all(statement.filters ?? {}, row) === true
    )
  })
  const calls = (statement.aggregates ??
    (statement.aggregate === undefined
      ? []
      : [{ aggregate: statement.aggregate, metric: statement.metric }])) as Array<{
    aggregate: string
    metric?: string
    as?: string
  }>
  const keys = (statement.group_by ?? []) as Array<string | { time_bucket: string }>
  const groups = new Map<string, { key: Record<string, unknown>; rows: Row[] }>()
  if (keys.length === 0) groups.set('{}', { key: {}, rows: [] })
  for (const row of kept) {
    const key = Object.fromEntries(
      keys.map((each) => {
        if (typeof each === 'string') return [each, row[each] ?? null]
        const width = { '1s': 1e6, '1m': 6e7 }[each.time_bucket] ?? Number.NaN
        return ['time_bucket', (row.event_time_us as number) - ((row.event_time_us as number) % width)]
      }),
    )
    const group = groups.get(JSON.stringify(key)) ?? { key, rows: [] }
    groups.set(JSON.stringify(key), group)
    group.rows.push(row)
  }
  return [...groups.values()].map(({ key, rows: members }) => ({
    ...key,
    ...Object.fromEntries(
      calls.map(({ aggregate, metric, as }) => [
        as ?? (metric === undefined ? aggregate : `${aggregate}_${metric}`),
        aggregated(aggregate, metric, members),
      ]),
    ),
  }))
}

function aggregated(aggregate: string, metric: string | undefined, rows: readonly Row[]): unknown {
  if (metric === undefined) return rows.length
  const cells = rows.map((row) => row[metric] ?? null).filter((cell) => cell !== null)
  if (aggregate === 'count') return cells.length
  if (aggregate === 'count_distinct') return new Set(cells).size
  if (cells.length === 0) return null
  if (aggregate === 'first' || aggregate === 'last') {
    const timed = rows
      .filter((row) => (row[metric] ?? null) !== null)
      .toSorted((a, b) => (a.event_time_us as number) - (b.event_time_us as number))
    return timed.at(aggregate === 'first' ? 0 : -1)?.[metric] ?? null
  }
  const before = (a: Scalar, b: Scalar) =>
    typeof a === 'string'
      ? Buffer.compare(Buffer.from(a), Buffer.from(b as string)) < 0
      : Number(a) < Number(b)
  if (aggregate === 'min') return cells.reduce((best, cell) => (before(cell, best) ? cell : best))
  if (aggregate === 'max') return cells.reduce((best, cell) => (before(best, cell) ? cell : best))
  const sum = cells.reduce<number>((total, cell) => total + (cell as number), 0)
  return aggregate === 'sum' ? sum : sum / cells.length
}

function all(filters: unknown, row: Row): boolean | undefined {
  return and(Object.entries(filters as object).map(([key, value]) => one(key, value, row)))
}

function one(key: string, value: unknown, row: Row): boolean | undefined {
  if (key === 'and') return and((value as unknown[]).map((each) => all(each, row)))
  if (key === 'or') return not(and((value as unknown[]).map((each) => not(all(each, row)))))
  if (key === 'not') return not(all(value, row))
  const cell = row[key] ?? null
  if (Array.isArray(value)) return within(cell, value)
  if (typeof value !== 'object' || value === null) return equal(cell, value as Scalar)
  return and(Object.entries(value).map(([operator, operand]) => condition(cell, operator, operand as never)))
}

function condition(cell: Scalar, operator: string, operand: never): boolean | undefined {
  if (operator === 'in') return within(cell, operand)
  if (operator === 'eq') return equal(cell, operand)
  if (operator === 'ne') return not(equal(cell, operand))
  if (cell === null) return undefined
  if (operator === 'like') return like(cell as string, operand)
  const less = (a: Scalar, b: Scalar) =>
    typeof a === 'string'
      ? Buffer.compare(Buffer.from(a), Buffer.from(b as string)) < 0
      : (a as number) < (b as number)
  if (operator === 'lt') return less(cell, operand)
  if (operator === 'gt') return less(operand, cell)
  return operator === 'lte' ? !less(operand, cell) : !less(cell, operand)
}

const equal = (cell: Scalar, value: Scalar): boolean | undefined =>
  value === null ? cell === null : cell === null ? undefined : cell === value
const within = (cell: Scalar, list: readonly Scalar[]): boolean | undefined => {
  if (cell === null) return list.includes(null) ? true : list.length === 0 ? false : undefined
  return list.includes(cell)
}
const not = (value: boolean | undefined): boolean | undefined => (value === undefined ? undefined : !value)
const and = (values: readonly (boolean | undefined)[]): boolean | undefined =>
  values.includes(false) ? false : values.includes(undefined) ? undefined : true
