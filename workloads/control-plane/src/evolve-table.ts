import { isDeepStrictEqual } from 'node:util'
import {
  COLUMNS_MAX,
  type ColumnDefinition,
  type RollupDefinition,
  type TableDefinition,
} from '@truenow/contracts/table-definition.ts'
import type { TableDeclaration } from './table-declaration.ts'

export type Evolution =
  | { kind: 'unchanged' }
  | { kind: 'changed'; definition: TableDefinition; changes: readonly string[] }
  | { kind: 'refused'; reasons: readonly string[] }

/** What rows already in the log were routed, named and folded by: with another value they would mean something else. */
const IMMUTABLE = ['idColumn', 'timeColumn', 'partitionBy', 'slots'] as const
const CHANGEABLE = [
  'retentionUs',
  'allowedLatenessUs',
  'dedupWindowUs',
  'maxFutureSkewUs',
  'idleTimeoutUs',
  'onMemoryFull',
] as const

/**
 * Decides what a declaration does to a table that is there. Pure. Columns keep their order, new ones follow, and a column
 * that the declaration does not name stays: absence from a spec never drops one.
 */
export function evolveTable(current: TableDefinition, declared: TableDeclaration): Evolution {
  const added = declared.columns.filter(({ name }) => current.columns.every((column) => column.name !== name))
  const reasons = [...refusals(current, declared, added)]
  if (reasons.length > 0) return { kind: 'refused', reasons }
  const changes = [
    ...added.map(({ name, type }) => `column ${name} (${type}) added`),
    ...CHANGEABLE.filter((field) => current[field] !== declared[field]).map(
      (field) => `${field} ${current[field]} → ${declared[field]}`,
    ),
    ...rollupChanges(current.rollups ?? [], declared.rollups ?? []),
  ]
  if (changes.length === 0) return { kind: 'unchanged' }
  const definition = { ...declared, columns: [...current.columns, ...added], version: current.version + 1 }
  return { kind: 'changed', definition, changes }
}

/** They change no answer, so any change is safe; their order means nothing. */
function rollupChanges(
  current: readonly RollupDefinition[],
  declared: readonly RollupDefinition[],
): string[] {
  const without = (some: readonly RollupDefinition[], others: readonly RollupDefinition[]) =>
    some.filter((one) => !others.some((other) => isDeepStrictEqual(one, other)))
  return [
    ...without(current, declared).map((rollup) => `rollup ${textOf(rollup)} removed`),
    ...without(declared, current).map((rollup) => `rollup ${textOf(rollup)} added`),
  ]
}

const textOf = ({ dimensions, metrics, granularityUs }: RollupDefinition): string =>
  `of ${metrics.join(', ')} by ${[...dimensions, `${granularityUs} µs`].join(', ')}`

function* refusals(
  current: TableDefinition,
  declared: TableDeclaration,
  added: readonly ColumnDefinition[],
): Generator<string> {
  for (const field of IMMUTABLE) {
    if (!isDeepStrictEqual(current[field], declared[field])) {
      const [was, is] = [current[field], declared[field]].map((value) => JSON.stringify(value))
      yield `${field} is ${was} and never changes (given: ${is}); set it back, or make another table`
    }
  }
  for (const { name, type, nullable } of declared.columns) {
    const known = current.columns.find((column) => column.name === name)
    if (known === undefined && !nullable) {
      yield `new column '${name}' must be nullable, because the rows before it have no value`
    }
    if (known !== undefined && known.type !== type) {
      yield `column '${name}' is ${known.type} and cannot become ${type}; add a column of another name`
    }
    if (known !== undefined && known.nullable !== nullable) {
      yield `column '${name}' is ${known.nullable ? '' : 'not '}nullable and stays so; set it back`
    }
  }
  if (current.columns.length + added.length > COLUMNS_MAX) {
    yield `with the columns it had before the table would have more than ${COLUMNS_MAX} columns (COLUMNS_MAX)`
  }
}
