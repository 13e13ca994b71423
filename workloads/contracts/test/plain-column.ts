import type { Column } from '../src/wire/column.ts'
import { textsOf } from '../src/wire/dictionary.ts'

/** The same column with its dictionary as an array and codes of four bytes: what tests compare. */
export const plainColumn = (column: Column): Column =>
  column.type === 'string'
    ? { ...column, codes: Uint32Array.from(column.codes), dictionary: textsOf(column.dictionary) }
    : column
