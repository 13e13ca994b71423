import type { Column } from '../src/wire/column.ts'
import { textsOf } from '../src/wire/dictionary.ts'

/** The same column with its dictionary as an array: what tests compare. */
export const plainColumn = (column: Column): Column =>
  column.type === 'string' ? { ...column, dictionary: textsOf(column.dictionary) } : column
