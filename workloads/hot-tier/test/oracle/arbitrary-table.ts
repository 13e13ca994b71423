import {
  type ColumnDefinition,
  ROLLUP_STEPS_US,
  type RollupDefinition,
  type TableDefinition,
} from '@truenow/contracts/table-definition.ts'
import type { LogRow } from '@truenow/kernels/replica/testing/encode-rows.ts'
import fc from 'fast-check'
import { arbitraryCell, type CellStyle, cellStyles, START_US } from './arbitrary-cell.ts'
import { SHARDS_MAX } from './shards-in-hand.ts'

/** One record of a slot's log; `definition` is the version that its block names. */
export type OracleRecord = Readonly<{
  slot: number
  offset: number
  appendTimeUs: number
  definition: TableDefinition
  rows: readonly LogRow[]
}>
export type OracleTable = Readonly<{
  /** Versions of one table, oldest first; each adds nullable columns to the one before, and has rollups of its own. */
  versions: readonly TableDefinition[]
  /** How the cells of each column of the newest version look. */
  styles: readonly CellStyle[]
  shards: number
  /** In the order in which they are applied; offsets of one slot rise. */
  records: readonly OracleRecord[]
}>

const SECOND_US = 1_000_000
const TYPES = ['string', 'int64', 'float64', 'bool', 'timestamp'] as const
type Shape = Readonly<{ type: (typeof TYPES)[number]; style: CellStyle; nullable: boolean }>

const shape: fc.Arbitrary<Shape> = fc
  .constantFrom('string', 'string', 'int64', 'float64', 'float64', 'bool', 'timestamp')
  .chain((type) =>
    fc.record({
      type: fc.constant(type),
      style: fc.constantFrom(...cellStyles(type)),
      nullable: fc.boolean(),
    }),
  )
const durations = fc.record({
  retentionUs: fc.constantFrom(30, 60, 600, 3_600).map((seconds) => seconds * SECOND_US),
  dedupWindowUs: fc.constantFrom(0, 5, 60).map((seconds) => seconds * SECOND_US),
})
/** Rollups by the places of columns; those that no version has, or that are of another type, are passed over. */
const rollup = fc.record({
  dimensions: fc.uniqueArray(fc.nat(5), { maxLength: 3 }),
  metrics: fc.uniqueArray(fc.nat(7), { minLength: 2, maxLength: 8 }),
  granularityUs: fc.constantFrom(...Object.values(ROLLUP_STEPS_US)),
})
const layout = fc.record({
  first: fc.array(shape, { minLength: 1, maxLength: 6 }),
  added: fc.array(fc.array(shape, { maxLength: 2 }), { maxLength: 2 }),
  durations: fc.array(durations, { minLength: 3, maxLength: 3 }),
  /** Half of the versions have none. */
  rollups: fc.array(fc.oneof(fc.constant([]), fc.array(rollup, { minLength: 1, maxLength: 3 })), {
    minLength: 3,
    maxLength: 3,
  }),
  slots: fc.integer({ min: 1, max: 4 }),
  shards: fc.integer({ min: 1, max: SHARDS_MAX }),
})

/** A table, its versions and its log over all slots. */
export const arbitraryTable: fc.Arbitrary<OracleTable> = layout.chain((given) => {
  const shapes = [given.first, ...given.added.map((list) => list.map((one) => ({ ...one, nullable: true })))]
  const versions = shapes.map((_, index) => versionOf(index, shapes.slice(0, index + 1).flat(), given))
  const styles = shapes.flat().map(({ style }) => style)
  return recordsOf(versions, styles, given.slots).map((records) => ({
    versions,
    styles,
    shards: given.shards,
    records,
  }))
})

function versionOf(
  index: number,
  shapes: readonly Shape[],
  given: Readonly<{
    slots: number
    durations: ReadonlyArray<Pick<TableDefinition, 'retentionUs' | 'dedupWindowUs'>>
    rollups: ReadonlyArray<ReadonlyArray<DrawnRollup>>
  }>,
): TableDefinition {
  const columns = shapes.map(
    ({ type, nullable }, at): ColumnDefinition => ({ name: `c${at}_${type}`, type, nullable }),
  )
  return {
    namespace: 'production',
    name: 'events',
    version: index + 1,
    columns,
    timeColumn: 'event_time_us',
    idColumn: 'event_id',
    partitionBy: [],
    slots: given.slots,
    allowedLatenessUs: 2 * SECOND_US,
    maxFutureSkewUs: 60 * SECOND_US,
    idleTimeoutUs: 10 * SECOND_US,
    onMemoryFull: 'Evict',
    retentionUs: 60 * SECOND_US,
    dedupWindowUs: 5 * SECOND_US,
    ...given.durations[index],
    rollups: (given.rollups[index] ?? []).map((drawn) => rollupOf(drawn, columns)),
  }
}

type DrawnRollup = Readonly<{
  dimensions: readonly number[]
  metrics: readonly number[]
  granularityUs: number
}>

function rollupOf(drawn: DrawnRollup, columns: readonly ColumnDefinition[]): RollupDefinition {
  const named = (places: readonly number[], types: readonly string[]) =>
    places.flatMap((at) => {
      const column = columns[at]
      return column !== undefined && types.includes(column.type) ? [column.name] : []
    })
  return {
    dimensions: named(drawn.dimensions, ['string', 'bool', 'int64']),
    metrics: named(drawn.metrics, ['int64', 'float64']),
    granularityUs: drawn.granularityUs,
  }
}

/** Every other one whole seconds, as the spans of buckets are: boundaries are met, not only crossed. */
const within = (min: number, max: number) =>
  fc.oneof(
    fc.integer({ min: min * SECOND_US, max: max * SECOND_US }),
    fc.integer({ min, max }).map((seconds) => seconds * SECOND_US),
  )
/** How far a row's event time lies behind the record's append time: mostly a little, some beyond any retention, some ahead. */
const lagUs = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, SECOND_US, 2 * SECOND_US) },
  { weight: 8, arbitrary: within(0, 3) },
  { weight: 3, arbitrary: within(0, 60) },
  { weight: 1, arbitrary: within(0, 4_000) },
  { weight: 1, arbitrary: within(-60, 0) },
)
const stepUs = fc.oneof(
  { weight: 8, arbitrary: within(0, 2) },
  { weight: 1, arbitrary: within(10, 50) },
  { weight: 1, arbitrary: within(-3, 0) },
)
/** Few ids come again and again, within the window and after it; the rest are new. */
const id = fc.oneof(
  { weight: 1, arbitrary: fc.nat(30).map((number) => `id-${number}`) },
  { weight: 3, arbitrary: fc.nat(1 << 30).map((number) => `r${number}`) },
  { weight: 1, arbitrary: fc.uuid({ version: 4 }) },
)
/** Rows that one drawn row stands for: most logs are short, a few are long enough for several chunks and dictionaries. */
const copies = fc.oneof(
  { weight: 40, arbitrary: fc.constant(1) },
  { weight: 8, arbitrary: fc.constant(9) },
  { weight: 2, arbitrary: fc.constant(150) },
)

function recordsOf(versions: readonly TableDefinition[], styles: readonly CellStyle[], slots: number) {
  const columns = (versions.at(-1) as TableDefinition).columns
  const cells = fc.tuple(
    ...columns.map(({ type, nullable }, at) => arbitraryCell(type, styles[at] as CellStyle, nullable)),
  )
  const record = fc.record({
    slot: fc.nat(slots - 1),
    hole: fc.constantFrom(0, 0, 0, 2),
    stepUs,
    version: fc.nat(versions.length - 1),
    rows: fc.array(fc.record({ id, lagUs, cells }), { minLength: 1, maxLength: 12 }),
  })
  return fc.tuple(fc.array(record, { maxLength: 30, size: 'max' }), copies).map(([drawn, times]) => {
    const offsets = Array.from({ length: slots }, () => -1)
    let nowUs = START_US
    // Versions come mixed, but the newest only in the later half, so that both orders of columns are seen.
    return drawn.map(({ slot, hole, stepUs: step, version, rows }, index): OracleRecord => {
      nowUs += step
      const definition = versions[
        Math.min(version, Math.floor((index * 2 * versions.length) / drawn.length))
      ] as TableDefinition
      offsets[slot] = (offsets[slot] as number) + 1 + hole
      const all = rows.flatMap((row) =>
        Array.from({ length: times }, (_, copy) => rowOf(row, copy, nowUs, definition, styles)),
      )
      return { slot, offset: offsets[slot] as number, appendTimeUs: nowUs, definition, rows: all }
    })
  })
}

type DrawnRow = Readonly<{ id: string; lagUs: number; cells: readonly (string | number | boolean | null)[] }>

function rowOf(
  row: DrawnRow,
  copy: number,
  nowUs: number,
  { columns }: TableDefinition,
  styles: readonly CellStyle[],
): LogRow {
  const values = columns.map(({ type }, at) => {
    const cell = row.cells[at] ?? null
    if (copy === 0 || styles[at] !== 'many' || cell === null) return cell
    return type === 'string' ? `${cell}/${copy}` : typeof cell === 'number' ? cell + copy : cell
  })
  return {
    id: copy === 0 ? row.id : `${row.id.slice(0, 10)}~${copy}`,
    timeUs: nowUs - row.lagUs - copy * 1_009,
    values,
  }
}
