import type { ColumnType } from '@truenow/contracts/table-definition.ts'

/** One column of the answer. A time bucket is the start of the bucket, in µs; a list is of {value, count, error_max}. */
export type OutputColumn = Readonly<{ name: string; type: ColumnType | 'list' }>
