import { TrueNowError } from '@truenow/contracts/errors.ts'
import { rollupProblems } from '@truenow/contracts/rollup-problems.ts'
import { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { Value } from 'typebox/value'

/** What a Table object declares: a definition that has no version yet, because only the catalog numbers versions. */
export type TableDeclaration = Omit<TableDefinition, 'version'>

/** Reads `PutTableRequest.definition_json`. Errors: TN_TABLE_INVALID naming every mistake at once. */
export function parseTableDeclaration(json: string): TableDeclaration {
  const given = { ...parseObject(json), version: 1 }
  if (!Value.Check(TableDefinition, given)) {
    const problems = [...Value.Errors(TableDefinition, given)]
      .filter(({ keyword }) => keyword !== 'boolean') // Says again, of the field, what additionalProperties says of the object.
      .map(({ instancePath, message, params }) => {
        const unknown = 'additionalProperties' in params ? ` (${String(params.additionalProperties)})` : ''
        return `${instancePath === '' ? 'the definition' : instancePath} ${message}${unknown}`
      })
    throw invalid([...new Set(problems)])
  }
  const { version: _, ...declaration } = given
  const problems = [...mistakes(declaration)]
  if (problems.length > 0) throw invalid(problems)
  return declaration
}

function* mistakes(declaration: TableDeclaration): Generator<string> {
  const { columns, idColumn, timeColumn, partitionBy, rollups = [] } = declaration
  if (idColumn === timeColumn) yield `idColumn and timeColumn are both '${idColumn}'; they must differ`
  const names = new Set<string>()
  for (const { name } of columns) {
    if (names.has(name)) yield `column '${name}' is declared twice`
    if (name === idColumn || name === timeColumn) {
      yield `column '${name}' is the id or time column, which every table has; leave it out of columns`
    }
    names.add(name)
  }
  for (const [index, name] of partitionBy.entries()) {
    if (!names.has(name) && name !== idColumn) {
      yield `partitionBy names '${name}', which is neither a column nor the id column '${idColumn}'`
    }
    if (partitionBy.indexOf(name) !== index) yield `partitionBy names '${name}' twice`
  }
  yield* rollupProblems(rollups, columns)
}

function parseObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch (cause) {
    throw new TrueNowError(
      'TN_TABLE_INVALID',
      `The table definition is not JSON: ${(cause as Error).message}.`,
      { cause },
    )
  }
  throw invalid(['the definition must be a JSON object'])
}

function invalid(problems: readonly string[]): TrueNowError {
  return new TrueNowError('TN_TABLE_INVALID', `The table definition is refused: ${problems.join('; ')}.`, {
    details: { problems },
  })
}
