/*
 * Partial result v1: a column batch (column-batch-v1, names used) that shards send and the query role merges.
 *
 * Aggregate plan, one row a group (no keys: exactly one row, even over no rows):
 *   k<i>                 key i: the column's type, or timestamp (start of the bucket, µs) for a time bucket
 *   a<i>.count  int64    COUNT: rows, or non-null values if a column is named. SUM, AVG: non-null values added
 *   a<i>.sum    int128   SUM, AVG of int64, exact.  float64: a<i>.sum float64 and a<i>.compensation float64 (Neumaier)
 *   a<i>.value           MIN, MAX: the column's type, null over no values
 *   VAR_*, STDDEV_*      a<i>.count int64, a<i>.mean float64, a<i>.m2 float64: the sum of squared distances from the mean
 *   FIRST, LAST          a<i>.value as for MIN, and where it stands: a<i>.time timestamp, a<i>.slot int64, a<i>.row int64
 *                        (its number in the slot's log order); 0 over no values
 *   COUNT_DISTINCT       a<i>.sketch bytes: the distinct values, scalar-list-v1
 *   APPROX_COUNT_DISTINCT  a<i>.sketch bytes: hyperloglog-v1
 *   QUANTILE             a<i>.sketch bytes: t-digest-v1
 *   TOP_K                a<i>.sketch bytes: top-k-v1
 * Rows plan, newest first:
 *   one column for each asked name (event id as id128), then $slot int64, $row int64: the number of the row in the
 *   slot's log order, and $time timestamp: its event time, whether or not it was asked for. Order: event time descending, slot ascending, $row descending.
 */

/** Name of key column `index`. */
export const keyColumnName = (index: number): string => `k${index}`
export type StatePart =
  | 'count'
  | 'sum'
  | 'compensation'
  | 'value'
  | 'mean'
  | 'm2'
  | 'time'
  | 'slot'
  | 'row'
  | 'sketch'
/** Name of one part of aggregate `index`. */
export const aggregateColumnName = (index: number, part: StatePart): string => `a${index}.${part}`
export const SLOT_COLUMN_NAME = '$slot'
export const ROW_COLUMN_NAME = '$row'
export const TIME_COLUMN_NAME = '$time'
