import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { evaluateFilter, TRUE } from '../filters/evaluate-filter.ts'
import { GroupTable } from './group-table.ts'
import { NewestRows } from './newest-rows.ts'
import type { Pause, RowSource } from './row-source.ts'

export type Executed = Readonly<{ batch: ColumnBatch; rowsScanned: number; rowsMatched: number }>

/** Rows that are grouped before the groups are counted: a query passes its limit by at most so many. */
const UPDATE_ROWS_MAX = 65_536

/**
 * Runs a plan over frozen row sources: prune by time, filter, aggregate or collect. Between two sources it calls `pause`,
 * which may let other work go on.
 * Cost: O(rows in range). Errors: TN_QUERY_LIMIT (groups), TN_COLUMN_UNKNOWN (a plan for another table version).
 */
export async function executePlan(
  plan: Plan,
  definition: TableDefinition,
  sources: Iterable<RowSource>,
  pause: Pause,
): Promise<Executed> {
  const target = targetOf(plan, definition)
  let [rowsScanned, rowsMatched] = [0, 0]
  const [startUs, endUs] = [Number(plan.startUs), Number(plan.endUs)]
  for (const source of newestFirst(sources)) {
    if (source.rowCount === 0 || source.timeUsMax < startUs || source.timeUsMin >= endUs) continue
    if (target instanceof NewestRows && !target.wants(source.timeUsMax)) continue
    const { rows, count } = select(plan, source, startUs, endUs)
    rowsScanned += source.rowCount
    rowsMatched += count
    // In pieces, between which groups are counted and others may work: one bucket may hold more groups than memory does.
    for (let from = 0; from < count; from += UPDATE_ROWS_MAX) {
      const piece = Math.min(UPDATE_ROWS_MAX, count - from)
      target.update(source, rows.subarray(from, from + piece), piece)
      await pause()
    }
    if (count === 0) await pause()
  }
  return { batch: target.batch(), rowsScanned, rowsMatched }
}

/** What collects the rows of a plan: groups, or the newest rows. */
export function targetOf(plan: Plan, definition: TableDefinition): GroupTable | NewestRows {
  if (plan.shape.case === 'aggregate') return new GroupTable(plan.shape.value, definition)
  if (plan.shape.case === 'rows') return new NewestRows(plan.shape.value, definition)
  throw new TypeError('a plan without a shape')
}

/** Buckets from the newest on: rows that are found first keep older ones from being read at all. */
function newestFirst(sources: Iterable<RowSource>): RowSource[] {
  return [...sources].toSorted((a, b) => b.timeUsMax - a.timeUsMax || a.slot - b.slot)
}

function select(
  plan: Plan,
  source: RowSource,
  startUs: number,
  endUs: number,
): { rows: Uint32Array; count: number } {
  const { rowCount, times } = source
  const rows = new Uint32Array(rowCount)
  let count = 0
  const whole = source.timeUsMin >= startUs && source.timeUsMax < endUs
  const verdicts =
    plan.filter === undefined ? undefined : evaluateFilter(plan.filter, source.column, rowCount)
  for (let row = 0; row < rowCount; row++) {
    if (!whole && (times[row]! < startUs || times[row]! >= endUs)) continue
    if (verdicts !== undefined && verdicts[row] !== TRUE) continue
    rows[count++] = row
  }
  return { rows, count }
}
