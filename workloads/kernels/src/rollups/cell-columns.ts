/*
 * Columns of the cells of a rollup, beside the dimensions under their own names. No column of a table has a $ in its name.
 *   $rows            int64    rows of the cell, at least 1
 *   <metric>$count   int64    its values that are not null
 *   <metric>$sum, $rest       float64 metrics: the sum is sum + rest (compensated), finite
 *   <metric>$high, $low       int64 metrics: the sum is high · 2^32 + low, exact, 0 <= low < 2^32
 *   <metric>$min, $max        of the metric's type; null without a value
 */
export type CellPart = 'count' | 'sum' | 'rest' | 'high' | 'low' | 'min' | 'max'

export const ROWS_COLUMN = '$rows'
export const cellColumn = (metric: string, part: CellPart): string => `${metric}$${part}`
