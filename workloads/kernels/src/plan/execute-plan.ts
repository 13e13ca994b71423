import type { Plan } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import type { Arena } from '../columns/arena.ts'
import { evaluateFilter, TRUE } from '../filters/evaluate-filter.ts'
import { RowSelector } from '../filters/select-rows.ts'
import { planOverCells } from '../rollups/plan-over-cells.ts'
import { splitSources } from '../rollups/split-sources.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { GroupTable } from './group-table.ts'
import { KernelGroups } from './kernel-groups.ts'
import { selectedRows } from './key-cells.ts'
import { NewestRows } from './newest-rows.ts'
import type { Pause, ResidentSource, RowSource, SourcePart } from './row-source.ts'
import { Scratch } from './scratch.ts'

export type Executed = Readonly<{
  batch: ColumnBatch
  rowsScanned: number
  rowsMatched: number
  /** How many of the matched rows were not read: cells of rollups stand for them. */
  rowsFromRollups: number
}>
type Read = Omit<Executed, 'rowsFromRollups'>

/** Rows that are grouped before the groups are counted: a query passes its limit by at most so many. */
const UPDATE_ROWS_MAX = 65_536

/**
 * Runs a plan over frozen row sources: prune by time, filter, aggregate or collect. Where rollups can tell exactly, their
 * cells are read instead of rows. What is in an arena goes by kernels, anything else by their twins. Between two sources
 * it calls `pause`, which may let other work go on.
 * Cost: O(rows in range), or of the cells. Errors: TN_QUERY_LIMIT (groups), TN_COLUMN_UNKNOWN (a plan for another table
 * version), TN_MEMORY_FULL (the arena has no room for the groups).
 */
export async function executePlan(
  plan: Plan,
  definition: TableDefinition,
  sources: readonly RowSource[],
  pause: Pause,
): Promise<Executed> {
  const range = rangeOf(plan)
  const overCells = sources.some(({ rollup }) => rollup !== undefined)
    ? planOverCells(plan, definition)
    : undefined
  const { rows, cells } =
    overCells === undefined
      ? { rows: sources.map((source) => ({ source, ...range })), cells: [] }
      : splitSources(sources, range, overCells.need)
  if (overCells === undefined || cells.length === 0)
    return { ...(await readParts(plan, definition, rows, pause)), rowsFromRollups: 0 }
  const folded = await readParts(overCells.plan, overCells.definition, cells, pause)
  const { batch, rowCount } = overCells.translate(folded.batch)
  const read = await readParts(plan, definition, rows, pause)
  return {
    batch: read.rowsMatched === 0 ? batch : merged(plan, definition, [batch, read.batch]),
    rowsScanned: read.rowsScanned,
    rowsMatched: read.rowsMatched + rowCount,
    rowsFromRollups: rowCount,
  }
}

/** Reads rows, or cells as if they were rows. */
async function readParts(
  plan: Plan,
  definition: TableDefinition,
  parts: readonly SourcePart[],
  pause: Pause,
): Promise<Read> {
  const wanted = newestFirst(parts).filter(isInRange)
  const arena = commonArena(wanted)
  if (arena === undefined) return readAnywhere(plan, definition, wanted, pause)
  const scratch = new Scratch(arena)
  try {
    return await readByKernels(
      plan,
      definition,
      wanted as SourcePart<ResidentSource>[],
      pause,
      scratch,
      arena,
    )
  } finally {
    scratch.freeAll()
  }
}

async function readByKernels(
  plan: Plan,
  definition: TableDefinition,
  parts: readonly SourcePart<ResidentSource>[],
  pause: Pause,
  scratch: Scratch,
  arena: Arena,
): Promise<Read> {
  const kernels = kernelsOf(arena)
  const selector = new RowSelector(kernels, scratch, plan.filter, rangeOf(plan))
  const sources = parts.map(({ source }) => source)
  const target =
    plan.shape.case === 'aggregate'
      ? new KernelGroups(plan.shape.value, definition, kernels, scratch, {
          bounds: boundsOf(sources, rangeOf(plan)),
          sources,
        })
      : targetOf(plan, definition)
  let [rowsScanned, rowsMatched] = [0, 0]
  for (const part of parts) {
    const { source } = part
    if (target instanceof NewestRows && !target.wants(source.timeUsMax)) continue
    const selection = selector.select(source, part)
    rowsScanned += source.rowCount
    rowsMatched += selection.count
    if (target instanceof KernelGroups) target.update(source, selection)
    else target.update(source, selectedRows(selection, source.rowCount, kernels, scratch), selection.count)
    // Hundreds of sources of one cell each: awaiting nothing would cost more than reading them.
    const wait = pause()
    if (wait !== undefined) await wait
  }
  return { batch: target.batch(), rowsScanned, rowsMatched }
}

/** Partial results of an aggregate plan as one. */
function merged(plan: Plan, definition: TableDefinition, batches: readonly ColumnBatch[]): ColumnBatch {
  const target = targetOf(plan, definition)
  for (const batch of batches) target.merge(batch)
  return target.batch()
}

/** The reference: the same answer, up to the order of groups and the last bit of float64 sums. */
export async function executeAnywhere(
  plan: Plan,
  definition: TableDefinition,
  sources: readonly RowSource[],
  pause: Pause,
): Promise<Read> {
  const range = rangeOf(plan)
  const parts = sources.map((source) => ({ source, ...range }))
  return readAnywhere(plan, definition, newestFirst(parts).filter(isInRange), pause)
}

async function readAnywhere(
  plan: Plan,
  definition: TableDefinition,
  parts: readonly SourcePart[],
  pause: Pause,
): Promise<Read> {
  const target = targetOf(plan, definition)
  let [rowsScanned, rowsMatched] = [0, 0]
  for (const { source, startUs, endUs } of parts) {
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
function newestFirst(parts: readonly SourcePart[]): SourcePart[] {
  return parts.toSorted((a, b) => b.source.timeUsMax - a.source.timeUsMax || a.source.slot - b.source.slot)
}

const rangeOf = ({ startUs, endUs }: Plan) => ({ startUs: Number(startUs), endUs: Number(endUs) })

const isInRange = ({ source: { rowCount, timeUsMin, timeUsMax }, startUs, endUs }: SourcePart): boolean =>
  rowCount > 0 && timeUsMax >= startUs && timeUsMin < endUs

/** The arena that all the rows are in, with their texts in common; undefined when there is none. */
function commonArena(parts: readonly SourcePart[]): Arena | undefined {
  const first = parts[0]?.source.resident
  const isCommon = ({ source: { resident } }: SourcePart) =>
    resident?.chunk.arena === first?.chunk.arena && resident?.pools === first?.pools
  return parts.every(isCommon) ? first?.chunk.arena : undefined
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
