import type { ColumnDefinition, RollupDefinition } from './table-definition.ts'

const DIMENSION_TYPES: readonly string[] = ['string', 'bool', 'int64']
const METRIC_TYPES: readonly string[] = ['int64', 'float64']

/** What is wrong with the rollups of a table that has these columns, each with place, rule and remedy. */
export function rollupProblems(
  rollups: readonly RollupDefinition[],
  columns: readonly ColumnDefinition[],
): string[] {
  const types = new Map(columns.map(({ name, type }) => [name, type as string]))
  const problems: string[] = []
  const seen = new Set<string>()
  for (const [at, { dimensions, metrics, granularityUs }] of rollups.entries()) {
    const check = (part: string, names: readonly string[], allowed: readonly string[]) => {
      for (const name of names)
        if (!allowed.includes(types.get(name) ?? ''))
          problems.push(
            `rollups[${at}].${part} names '${name}', which is no column of type ${allowed.join(', ')}`,
          )
      if (new Set(names).size < names.length)
        problems.push(`rollups[${at}].${part} names a column twice; name each once`)
    }
    check('dimensions', dimensions, DIMENSION_TYPES)
    check('metrics', metrics, METRIC_TYPES)
    const same = JSON.stringify([dimensions, [...metrics].sort(), granularityUs])
    if (seen.has(same)) problems.push(`rollups[${at}] says the same as one before it; leave it out`)
    seen.add(same)
  }
  return problems
}
