import {
  type ColumnDefinition,
  ROLLUP_STEPS_US,
  type RollupDefinition,
  type TableDefinition,
} from '@truenow/contracts/table-definition.ts'
import fc from 'fast-check'
import {
  arbitraryCell,
  type Cell,
  type CellStyle,
  cellStyles,
  type Nulls,
  START_US,
} from './arbitrary-cell.ts'
import { SHARDS_MAX } from './shards-in-hand.ts'

export type ColumnShape = Readonly<{
  type: (typeof TYPES)[number]
  style: CellStyle
  nulls: Nulls
}>
/** A row as it is drawn: it stands for `copies` rows (expand-records.ts). */
export type DrawnRow = Readonly<{ id: string; lagUs: number; cells: readonly Cell[] }>
/** One record of a slot's log; `version` is the index of the table version that its block names. */
export type DrawnRecord = Readonly<{
  slot: number
  offset: number
  appendTimeUs: number
  version: number
  rows: readonly DrawnRow[]
}>
export type OracleTable = Readonly<{
  focus: Focus
  /** Versions of one table, oldest first; each adds nullable columns to the one before, and has rollups of its own. */
  versions: readonly TableDefinition[]
  /** How the cells of each column of the newest version look. */
  shapes: readonly ColumnShape[]
  shards: number
  /** Rows that one drawn row stands for. */
  copies: number
  /** In the order in which they are applied; offsets of one slot rise. */
  records: readonly DrawnRecord[]
}>

const SECOND_US = 1_000_000
const TYPES = ['string', 'int64', 'float64', 'bool', 'timestamp'] as const

/** What a table is about: rare edges come often where some tables aim at them. */
type Focus = 'any' | 'edges' | 'sums' | 'texts'
type FocusRules = Readonly<{
  weight: number
  /** The first column, where the focus needs it to be of a kind. */
  lead?: fc.Arbitrary<ColumnShape>
  columnsMax: number
  shardsMax: number
  retentionSeconds: readonly number[]
  /** All times are whole seconds, as the spans of buckets are, and lags stand at the horizon of retention. */
  atHorizon: boolean
  records: Readonly<{ minLength: number; maxLength: number }>
  rowsMin: number
  copies: fc.Arbitrary<number>
}>
const plain: FocusRules = {
  weight: 8,
  columnsMax: 6,
  shardsMax: SHARDS_MAX,
  retentionSeconds: [30, 60, 600, 3_600],
  atHorizon: false,
  records: { minLength: 0, maxLength: 30 },
  rowsMin: 1,
  // Most logs are short, a few are long enough for several chunks, wide codes and sketches.
  copies: fc.oneof(
    { weight: 40, arbitrary: fc.constant(1) },
    { weight: 8, arbitrary: fc.constant(9) },
    { weight: 2, arbitrary: fc.constant(150) },
  ),
}
const lead = (type: ColumnShape['type'], ...styles: CellStyle[]): fc.Arbitrary<ColumnShape> =>
  fc.record({
    type: fc.constant(type),
    style: fc.constantFrom(...styles),
    nulls: fc.constantFrom<Nulls>('none', 'some'),
  })
const FOCUSES: Readonly<Record<Focus, FocusRules>> = {
  any: plain,
  /** Rows, buckets and remembered ids that leave or stay at the very microsecond of their horizon. */
  edges: { ...plain, weight: 4, atHorizon: true, retentionSeconds: [30, 60], copies: fc.constant(1) },
  /** A thousand rows and more in one group, whose sum leaves int64. */
  sums: {
    ...plain,
    weight: 2,
    lead: lead('int64', 'huge', 'deep'),
    columnsMax: 3,
    retentionSeconds: [600, 3_600],
    records: { minLength: 10, maxLength: 30 },
    copies: fc.constant(60),
  },
  /** More texts than codes of two bytes can name, in one shard, or sketches of more than one to merge. */
  texts: {
    ...plain,
    weight: 0, // Large: judge-many.ts says when.
    lead: fc.constant<ColumnShape>({ type: 'string', style: 'many', nulls: 'some' }),
    columnsMax: 2,
    shardsMax: 2,
    retentionSeconds: [3_600],
    records: { minLength: 25, maxLength: 28 },
    rowsMin: 10,
    copies: fc.constant(500),
  },
}

const wildest = (type: ColumnShape['type']): CellStyle[] => {
  const styles = cellStyles(type)
  return styles.includes('wild') ? ['wild'] : styles
}
const shape: fc.Arbitrary<ColumnShape> = fc
  .constantFrom('string', 'string', 'int64', 'float64', 'float64', 'bool', 'timestamp')
  .chain((type) =>
    fc.record({
      type: fc.constant(type),
      style: fc.oneof(fc.constantFrom(...cellStyles(type)), fc.constantFrom(...wildest(type))),
      nulls: fc.constantFrom<Nulls>('none', 'none', 'none', 'some', 'some', 'some', 'all'),
    }),
  )

/** Rollups by the places of columns; those that no version has, or that are of another type, are passed over. */
const rollup = fc.record({
  dimensions: fc.uniqueArray(fc.nat(5), { maxLength: 3 }),
  metrics: fc.uniqueArray(fc.nat(7), { minLength: 2, maxLength: 8 }),
  granularityUs: fc.constantFrom(...Object.values(ROLLUP_STEPS_US)),
})
type DrawnRollup = typeof rollup extends fc.Arbitrary<infer One> ? One : never
/** Half of the versions have none. */
const rollups = fc.oneof(fc.constant([]), fc.array(rollup, { minLength: 1, maxLength: 3 }))

type Layout = ReturnType<typeof layoutOf> extends fc.Arbitrary<infer One> ? One : never

function layoutOf(focus: Focus) {
  const { columnsMax, shardsMax, retentionSeconds, lead: first = shape, copies } = FOCUSES[focus]
  const durations = fc.record({
    retentionUs: fc.constantFrom(...retentionSeconds).map((seconds) => seconds * SECOND_US),
    dedupWindowUs: fc.constantFrom(0, 5, 60).map((seconds) => seconds * SECOND_US),
  })
  return fc.record({
    focus: fc.constant(focus),
    first: fc
      .tuple(first, fc.array(shape, { maxLength: columnsMax - 1 }))
      .map(([one, others]) => [one, ...others]),
    added: fc.array(fc.array(shape, { maxLength: 2 }), { maxLength: 2 }),
    durations: fc.array(durations, { minLength: 3, maxLength: 3 }),
    rollups: fc.array(rollups, { minLength: 3, maxLength: 3 }),
    slots: fc.integer({ min: 1, max: 4 }),
    shards: fc.integer({ min: 1, max: shardsMax }),
    copies,
  })
}

/** A table of any focus, as often as its weight says. */
export const arbitraryTable: fc.Arbitrary<OracleTable> = fc.oneof(
  ...(Object.keys(FOCUSES) as Focus[]).map((focus) => ({
    weight: FOCUSES[focus].weight,
    arbitrary: tableOf(focus),
  })),
)

/** A table, its versions and its log over all slots. */
export function tableOf(focus: Focus): fc.Arbitrary<OracleTable> {
  return layoutOf(focus).chain(logOf)
}

function logOf(given: Layout): fc.Arbitrary<OracleTable> {
  const nullable = (one: ColumnShape): ColumnShape => (one.nulls === 'none' ? { ...one, nulls: 'some' } : one)
  const steps = [given.first, ...given.added.map((list) => list.map(nullable))]
  const versions = steps.map((_, index) => versionOf(index, steps.slice(0, index + 1).flat(), given))
  const shapes = steps.flat()
  const { focus, slots, shards, copies } = given
  return recordsOf(focus, versions.length, shapes, slots).map((records) => ({
    focus,
    versions,
    shapes,
    shards,
    copies,
    records,
  }))
}

function versionOf(
  index: number,
  shapes: readonly ColumnShape[],
  given: Readonly<{
    slots: number
    durations: ReadonlyArray<Pick<TableDefinition, 'retentionUs' | 'dedupWindowUs'>>
    rollups: ReadonlyArray<readonly DrawnRollup[]>
  }>,
): TableDefinition {
  const columns = shapes.map(
    ({ type, nulls }, at): ColumnDefinition => ({ name: `c${at}_${type}`, type, nullable: nulls !== 'none' }),
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

const wholeSeconds = (min: number, max: number) =>
  fc.integer({ min, max }).map((seconds) => seconds * SECOND_US)
/** Every other one whole seconds: boundaries are met, not only crossed. */
const within = (min: number, max: number) =>
  fc.oneof(fc.integer({ min: min * SECOND_US, max: max * SECOND_US }), wholeSeconds(min, max))
/** How far a row's event time lies behind the record's append time: mostly a little, some beyond any retention, some ahead. */
const anyLagUs = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, SECOND_US, 2 * SECOND_US) },
  { weight: 8, arbitrary: within(0, 3) },
  { weight: 3, arbitrary: within(0, 60) },
  { weight: 1, arbitrary: within(0, 4_000) },
  { weight: 1, arbitrary: within(-60, 0) },
)
/** The same around the retentions of 30 and 60 s, whose buckets span one. */
const horizonLagUs = fc.oneof(
  { weight: 4, arbitrary: wholeSeconds(0, 3) },
  { weight: 4, arbitrary: fc.constantFrom(...[28, 29, 30, 31, 59, 60, 61].map((s) => s * SECOND_US)) },
  { weight: 1, arbitrary: wholeSeconds(-5, 0) },
)
const anyStepUs = fc.oneof(
  { weight: 8, arbitrary: within(0, 2) },
  { weight: 1, arbitrary: within(10, 50) },
  { weight: 1, arbitrary: within(-3, 0) },
)
const horizonStepUs = fc.oneof(
  { weight: 6, arbitrary: wholeSeconds(0, 2) },
  { weight: 2, arbitrary: wholeSeconds(4, 6) },
  { weight: 1, arbitrary: wholeSeconds(28, 31) },
)
/** Few ids come again and again, within the window and after it; the rest are new. The longest stand as a hash. */
const anyId = fc.oneof(
  { weight: 2, arbitrary: fc.nat(30).map((number) => `id-${number}`) },
  { weight: 6, arbitrary: fc.nat(1 << 30).map((number) => `r${number}`) },
  { weight: 2, arbitrary: fc.uuid({ version: 4 }) },
  { weight: 1, arbitrary: fc.nat(1_000).map((number) => `an-id-of-many-characters-${number}`) },
)
const fewIds = fc.oneof(
  { weight: 1, arbitrary: fc.nat(12).map((number) => `id-${number}`) },
  { weight: 1, arbitrary: anyId },
)

function recordsOf(focus: Focus, versions: number, shapes: readonly ColumnShape[], slots: number) {
  const { atHorizon, records, rowsMin } = FOCUSES[focus]
  const row = fc.record({
    id: atHorizon ? fewIds : anyId,
    lagUs: atHorizon ? horizonLagUs : anyLagUs,
    cells: fc.tuple(...shapes.map(({ type, style, nulls }) => arbitraryCell(type, style, nulls))),
    // Whether an id is remembered shows only where it comes again.
    isSentAgain: atHorizon ? fc.nat(3).map((number) => number === 0) : fc.constant(false),
  })
  const record = fc.record({
    slot: fc.nat(slots - 1),
    hole: fc.constantFrom(0, 0, 0, 2),
    stepUs: atHorizon ? horizonStepUs : anyStepUs,
    version: fc.nat(versions - 1),
    rows: fc.array(row, { minLength: rowsMin, maxLength: 12 }),
  })
  return fc.array(record, { ...records, size: 'max' }).map((drawn) => {
    const offsets = Array.from({ length: slots }, () => -1)
    const again: DrawnRow[][] = Array.from({ length: slots }, () => [])
    let nowUs = START_US
    // Versions come mixed, but the newest only in the later half, so that both orders of columns are seen.
    return drawn.map(({ slot, hole, stepUs, version, rows }, index): DrawnRecord => {
      nowUs += stepUs
      offsets[slot] = offsets[slot]! + 1 + hole
      const resent = again[slot]!
      again[slot] = rows.flatMap(({ id, cells, isSentAgain }) =>
        isSentAgain ? [{ id, cells, lagUs: 0 }] : [],
      )
      return {
        slot,
        offset: offsets[slot]!,
        appendTimeUs: nowUs,
        version: Math.min(version, Math.floor((index * 2 * versions) / drawn.length)),
        rows: [...resent, ...rows.map(({ id, lagUs, cells }) => ({ id, lagUs, cells }))],
      }
    })
  })
}
