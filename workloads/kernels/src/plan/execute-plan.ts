import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { Arena } from '../columns/arena.ts'
import { evaluateFilter, TRUE } from '../filters/evaluate-filter.ts'
import { RowSelector } from '../filters/select-rows.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { GroupTable } from './group-table.ts'
import { KernelGroups } from './kernel-groups.ts'
import { selectedRows } from './key-cells.ts'
import { NewestRows } from './newest-rows.ts'
import type { Pause, ResidentSource, RowSource } from './row-source.ts'
import { Scratch } from './scratch.ts'

export type Executed = Readonly<{ batch: ColumnBatch; rowsScanned: number; rowsMatched: number }>

/** Rows that are grouped before the groups are counted: a query passes its limit by at most so many. */
const UPDATE_ROWS_MAX = 65_536

/**
 * Runs a plan over frozen row sources: prune by time, filter, aggregate or collect. Rows in an arena go by kernels, any
 * others by their twins. Between two sources it calls `pause`, which may let other work go on.
 * Cost: O(rows in range). Errors: TN_QUERY_LIMIT (groups), TN_COLUMN_UNKNOWN (a plan for another table version),
 * TN_MEMORY_FULL (the arena has no room for the groups).
 */
export async function executePlan(
  plan: Plan,
  definition: TableDefinition,
  sources: readonly RowSource[],
  pause: Pause,
): Promise<Executed> {
  const [startUs, endUs] = [Number(plan.startUs), Number(plan.endUs)]
  const wanted = newestFirst(sources).filter(
    ({ rowCount, timeUsMin, timeUsMax }) => rowCount > 0 && timeUsMax >= startUs && timeUsMin < endUs,
  )
  const arena = commonArena(wanted)
  if (arena === undefined) return executeAnywhere(plan, definition, wanted, pause)
  const scratch = new Scratch(arena)
  try {
    return await executeByKernels(plan, definition, wanted as ResidentSource[], pause, scratch, arena)
  } finally {
    scratch.freeAll()
  }
}

async function executeByKernels(
  plan: Plan,
  definition: TableDefinition,
  sources: readonly ResidentSource[],
  pause: Pause,
  scratch: Scratch,
  arena: Arena,
): Promise<Executed> {
  const kernels = kernelsOf(arena)
  const range = { startUs: Number(plan.startUs), endUs: Number(plan.endUs) }
  const selector = new RowSelector(kernels, scratch, plan.filter, range)
  const target =
    plan.shape.case === 'aggregate'
      ? new KernelGroups(plan.shape.value, definition, kernels, scratch, {
          bounds: boundsOf(sources, range),
          sources,
        })
      : targetOf(plan, definition)
  let [rowsScanned, rowsMatched] = [0, 0]
  for (const source of sources) {
    if (target instanceof NewestRows && !target.wants(source.timeUsMax)) continue
    const selection = selector.select(source)
    rowsScanned += source.rowCount
    rowsMatched += selection.count
    if (target instanceof KernelGroups) target.update(source, selection)
    else target.update(source, selectedRows(selection, source.rowCount, kernels, scratch), selection.count)
    await pause()
  }
  return { batch: target.batch(), rowsScanned, rowsMatched }
}

/** The reference: the same answer, up to the order of groups and the last bit of float64 sums. */
export async function executeAnywhere(
  plan: Plan,
  definition: TableDefinition,
  sources: readonly RowSource[],
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
function newestFirst(sources: readonly RowSource[]): RowSource[] {
  return sources.toSorted((a, b) => b.timeUsMax - a.timeUsMax || a.slot - b.slot)
}

/** The arena that all the rows are in, with their texts in common; undefined when there is none. */
function commonArena(sources: readonly RowSource[]): Arena | undefined {
  const [first] = sources
  const isCommon = ({ resident }: RowSource) =>
    resident?.chunk.arena === first?.resident?.chunk.arena && resident?.pools === first?.resident?.pools
  return sources.every(isCommon) ? first?.resident?.chunk.arena : undefined
}

/** Event times that selected rows can have, µs. */
function boundsOf(
  sources: readonly RowSource[],
  { startUs, endUs }: Readonly<{ startUs: number; endUs: number }>,
) {
  const minUs = sources.reduce((least, { timeUsMin }) => Math.min(least, timeUsMin), endUs - 1)
  const maxUs = sources.reduce((most, { timeUsMax }) => Math.max(most, timeUsMax), startUs)
  return { minUs: Math.max(startUs, minUs), maxUs: Math.min(endUs - 1, maxUs) }
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
