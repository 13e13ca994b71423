import type { Column } from '../src/wire/column.ts'
import { textsOf } from '../src/wire/dictionary.ts'

/** The same column with its dictionary, or wide integers, as an array and codes of four bytes: what tests compare. */
export function plainColumn(column: Column): Column {
  if (column.type === 'string')
    return { ...column, codes: Uint32Array.from(column.codes), dictionary: textsOf(column.dictionary) }
  if (column.type !== 'int128') return column
  const { values } = column
  return { ...column, values: Array.from({ length: values.length }, (_, row) => values.at(row) as bigint) }
}
