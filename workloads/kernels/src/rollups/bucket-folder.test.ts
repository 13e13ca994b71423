import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  AggregateFunction,
  type AggregatePlan,
  type Plan,
  PlanSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { Arena, UNIT_BYTES } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { executePlan } from '../plan/execute-plan.ts'
import { finalizePartial } from '../plan/finalize-partial.ts'
import type { Cut, RollupLevel } from '../plan/row-source.ts'
import { SlotReplica } from '../replica/slot-replica.ts'
import { encodeRows, type LogRow } from '../replica/testing/encode-rows.ts'
import { LOG_START_US } from '../replica/testing/random-log.ts'
import type { RollupLimits } from './rollup-limits.ts'

const SECOND_US = 1_000_000
const MINUTE_US = 60 * SECOND_US
const START_US = Math.ceil(LOG_START_US / MINUTE_US) * MINUTE_US
const plain: TableDefinition = {
  namespace: 'production',
  name: 'events',
  version: 1,
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'items', type: 'int64', nullable: false },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: [],
  slots: 1,
  retentionUs: 60 * MINUTE_US,
  allowedLatenessUs: 10 * SECOND_US,
  dedupWindowUs: MINUTE_US,
  maxFutureSkewUs: MINUTE_US,
  idleTimeoutUs: SECOND_US,
  onMemoryFull: 'Evict',
}
const byRegion = { dimensions: ['region'], metrics: ['items'], granularityUs: SECOND_US }
const rolled: TableDefinition = { ...plain, version: 2, rollups: [byRegion] }
const limits: RollupLimits = { cellsMax: 1_000, rowsACellMin: 1, rowsMin: 1 }

/** Folds rows into a replica, one block each call, and then what is quiet into rollups; ids are never twice. */
function logInto(replica: SlotReplica, foldAll = true) {
  let offset = -1
  return (rowCount: number, fromS: number, definition: TableDefinition = rolled, spanS = 60) => {
    offset += 1
    const rows = Array.from(
      { length: rowCount },
      (_, row): LogRow => ({
        id: `${offset}-${row}`,
        timeUs: START_US + fromS * SECOND_US + Math.floor((row * spanS * SECOND_US) / rowCount),
        values: [['eu', 'us'][row % 2] as string, row],
      }),
    )
    const appendTimeUs = START_US + (fromS + spanS) * SECOND_US
    replica.apply(
      decodeBlock(encodeRows(rows, definition)),
      definition,
      { offset, checksum: 0 },
      appendTimeUs,
    )
    if (foldAll) replica.foldBuckets()
  }
}
const rollupsOf = (replica: SlotReplica) =>
  [...replica.buckets.values()].map(({ rollup, rowCount }) => [rowCount, rollup?.rowCount])
const levelsOf = (replica: SlotReplica) => [...replica.buckets.values()].map(({ rollup }) => rollup?.levels)
const named = ({ dimensions, stepUs, cells }: RollupLevel) =>
  `${dimensions.join()}@${stepUs / SECOND_US}: ${cells.rowCount}`

const total = create(PlanSchema, {
  startUs: 0n,
  endUs: BigInt(2 * START_US),
  shape: {
    case: 'aggregate',
    value: { keys: [], aggregates: [{ function: AggregateFunction.COUNT, column: '' }, { function: AggregateFunction.SUM, column: 'items' }] }, // biome-ignore format: one line
  },
})
function finalRows(plan: Plan, definition: TableDefinition, batch: ColumnBatch) {
  const { rowCount, columnCount, value } = finalizePartial(plan, definition, batch)
  return Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: columnCount }, (_, column) => value(row, column)),
  )
}
async function asked({ sources }: Cut) {
  const { batch, rowsScanned, rowsFromRollups } = await executePlan(total, rolled, sources, () => undefined)
  const values = batch.columns.map(({ column }) => ('values' in column ? Number(column.values.at(0)) : 0))
  return { count: values[0], sum: values[1], rowsScanned, rowsFromRollups }
}

test('BucketFolder: a bucket is folded when event time has passed it by the allowed lateness, level by level', () => {
  const replica = new SlotReplica(rolled, { rollupLimits: limits })
  const log = logInto(replica)
  log(240, 0)
  log(1, 69.9, rolled, 0)
  assert.deepEqual(rollupsOf(replica), [[240, undefined], [1, undefined]]) // biome-ignore format: one line
  log(1, 70, rolled, 0)
  assert.deepEqual(rollupsOf(replica), [[240, 240], [2, undefined]]) // biome-ignore format: one line
  const [levels = []] = levelsOf(replica)
  const found = levels.map(named)
  assert.deepEqual(found, [
    '@Infinity: 1',
    'region@Infinity: 2',
    '@10: 6',
    'region@10: 12',
    '@1: 60',
    'region@1: 120',
  ])
})

test('BucketFolder: late rows are read beside the rollup, and folded in when they are a quarter of it', async () => {
  const replica = new SlotReplica(rolled, { rollupLimits: limits })
  const log = logInto(replica)
  log(240, 0)
  log(1, 75, rolled, 0)
  log(59, 0)
  assert.deepEqual(rollupsOf(replica), [[299, 240], [1, undefined]]) // biome-ignore format: one line
  const sums = (240 * 239) / 2 + (59 * 58) / 2
  assert.deepEqual(await asked(replica.cut(0)), {
    count: 300,
    sum: sums,
    rowsScanned: 60,
    rowsFromRollups: 240,
  })
  log(1, 5, rolled, 0)
  assert.deepEqual(rollupsOf(replica), [[300, 300], [1, undefined]]) // biome-ignore format: one line
  assert.deepEqual(await asked(replica.cut(0)), {
    count: 301,
    sum: sums,
    rowsScanned: 1,
    rowsFromRollups: 300,
  })
})

test('BucketFolder: a bucket is folded a little with each block', () => {
  const replica = new SlotReplica(rolled, { rollupLimits: limits })
  const log = logInto(replica, false)
  log(2_000, 0)
  let blocks = 0
  for (; replica.rollups.buckets === 0; blocks++) log(10, 75 + blocks / 100, rolled, 0)
  // Dimension, finest level twice, then cells: some 6,000 passed over, at 320 a block.
  assert.ok(blocks > 15 && blocks < 30, `${blocks} blocks`)
})

test('BucketFolder: a cut keeps the rollup that it saw, also when the bucket is folded anew and leaves', async () => {
  const replica = new SlotReplica(rolled, { rollupLimits: limits })
  const log = logInto(replica)
  log(240, 0)
  log(1, 75, rolled, 0)
  const cut = replica.cut(0)
  const seen = await asked(cut)
  log(240, 0)
  assert.ok(replica.evictOldest())
  log(500, 120) // Takes what was given back too early.
  assert.deepEqual(await asked(cut), seen)
  cut.release()
  replica.free()
  assert.equal(replica.arena.usedBytes, 0)
})

test('BucketFolder: a version that declares a rollup folds the rows before it, and one without lets it go', () => {
  const replica = new SlotReplica(plain, { rollupLimits: limits })
  const log = logInto(replica)
  log(240, 0, plain)
  log(1, 75, plain, 0)
  const bytes = replica.residentBytes
  assert.deepEqual(rollupsOf(replica), [[240, undefined], [1, undefined]]) // biome-ignore format: one line
  const hash = replica.stateHash()
  log(0 + 1, 76, rolled, 0)
  assert.deepEqual(rollupsOf(replica), [[240, 240], [2, undefined]]) // biome-ignore format: one line
  assert.ok(replica.residentBytes > bytes + replica.rollups.bytes - 1_024 && replica.rollups.bytes > 0)
  assert.notEqual(replica.stateHash(), hash)
  log(1, 77, { ...plain, version: 3 }, 0)
  assert.deepEqual(rollupsOf(replica), [[240, undefined], [3, undefined]]) // biome-ignore format: one line
  assert.equal(replica.rollups.bytes, 0)
})

test('BucketFolder: in a bucket of more than 2^32 µs cells stand at whole times', async () => {
  const wide = { ...rolled, retentionUs: 300_000 * SECOND_US }
  const replica = new SlotReplica(wide, { rollupLimits: { ...limits, cellsMax: 5_000 } })
  const log = logInto(replica)
  log(5_000, 0, wide, 9_000)
  log(1, 20_000, wide, 0)
  const steps = levelsOf(replica).flatMap((levels) => levels?.map(({ stepUs }) => stepUs) ?? [])
  assert.ok(steps.includes(3_600 * SECOND_US) && replica.rollups.buckets >= 2)
  const { sources } = replica.cut(0)
  for (const seconds of [1n, 10n, 3_600n, 7_200n]) {
    const keys = [{ kind: { case: 'timeBucketUs' as const, value: seconds * BigInt(SECOND_US) } }]
    const { aggregates } = total.shape.value as AggregatePlan
    const plan = create(PlanSchema, { startUs: BigInt(START_US + 1), endUs: total.endUs, shape: { case: 'aggregate', value: { keys, aggregates } } }) // biome-ignore format: one line
    const [cells, rows] = await Promise.all(
      [false, true].map((rowsOnly) => executePlan({ ...plan, rowsOnly }, wide, sources, () => undefined)),
    )
    const groups = (found: typeof cells) =>
      finalRows(plan, wide, found!.batch).toSorted((a, b) => Number(a[0]) - Number(b[0]))
    assert.deepEqual(groups(cells), groups(rows))
    assert.ok(cells!.rowsFromRollups > 4_000 && rows!.rowsFromRollups === 0)
  }
})

test('BucketFolder: rollups are no part of the state hash', () => {
  const [folded, scanned] = [limits, { ...limits, rowsMin: 1e9 }].map((rollupLimits) => {
    const replica = new SlotReplica(rolled, { rollupLimits })
    const log = logInto(replica)
    log(240, 0)
    log(1, 75, rolled, 0)
    return replica
  })
  assert.ok(folded?.rollups.buckets === 1 && scanned?.rollups.buckets === 0)
  assert.equal(folded?.stateHash(), scanned?.stateHash())
})

test('BucketFolder: levels with too many cells are left out, and rows answer what only they could', async () => {
  const replica = new SlotReplica(rolled, { rollupLimits: { ...limits, rowsACellMin: 4 } })
  const log = logInto(replica)
  log(240, 0)
  log(1, 75, rolled, 0)
  const [levels = []] = levelsOf(replica)
  // 120 cells for 240 rows are too many; 12, 60 are not.
  assert.deepEqual(levels.map(named), [
    '@Infinity: 1',
    'region@Infinity: 2',
    '@10: 6',
    'region@10: 12',
    '@1: 60',
  ])
  assert.equal(replica.rollups.levelsLeftOut, 1)
})

test('BucketFolder: more values of a dimension than cells may be leaves the shorter prefixes', () => {
  const byItems = { ...rolled, rollups: [{ ...byRegion, dimensions: ['region', 'items'] }] }
  const replica = new SlotReplica(byItems, { rollupLimits: { ...limits, cellsMax: 130 } })
  const log = logInto(replica)
  log(240, 0, byItems)
  log(1, 75, byItems, 0)
  const [levels = []] = levelsOf(replica)
  assert.deepEqual(new Set(levels.map(({ dimensions }) => dimensions.join())), new Set(['region', '']))
  assert.equal(replica.rollups.levelsLeftOut, 3)
})

test('BucketFolder: without room for cells rows are scanned, and what was half made is given back', async () => {
  const arena = new Arena(createPlainMemory(), 3 * 65_536)
  // The first one fits; a cell for each row, twice the memory of the row, does not.
  const twice = { ...rolled, rollups: [byRegion, { ...byRegion, dimensions: ['items'] }] }
  const replica = new SlotReplica(twice, { arena, rollupLimits: { ...limits, cellsMax: 65_536 } })
  const log = logInto(replica)
  log(2_000, 0, twice)
  log(1, 75, twice, 0)
  assert.equal(replica.rollups.outOfMemory, 1)
  assert.deepEqual(rollupsOf(replica), [[2_000, undefined], [1, undefined]]) // biome-ignore format: one line
  // Each bucket has one chunk, which takes whole units.
  const units = replica.buckets.values().map(({ residentBytes }) => Math.ceil(residentBytes / UNIT_BYTES))
  const rowBytes = units.reduce((sum, count) => sum + count * UNIT_BYTES, 0)
  assert.equal(arena.usedBytes - replica.texts.residentBytes, rowBytes)
  assert.equal((await asked(replica.cut(0))).count, 2_001)
})

test('BucketFolder: a sum beyond float64 is in no cell', () => {
  const columns = [{ name: 'region', type: 'string', nullable: false }, { name: 'items', type: 'float64', nullable: false }] as TableDefinition['columns'] // biome-ignore format: one line
  const floats = { ...rolled, columns }
  const replica = new SlotReplica(floats, { rollupLimits: limits })
  const rows = ['a', 'b', 'c'].map((id, at) => ({ id, timeUs: START_US + Math.floor(at / 2) * SECOND_US, values: ['eu', Number.MAX_VALUE] })) // biome-ignore format: one line
  const value = encodeRows(rows, floats)
  replica.apply(decodeBlock(value), floats, { offset: 0, checksum: 0 }, START_US)
  const next = encodeRows([{ id: 'd', timeUs: START_US + 75 * SECOND_US, values: ['eu', 1] }], floats)
  replica.apply(decodeBlock(next), floats, { offset: 1, checksum: 0 }, START_US + 75 * SECOND_US)
  replica.foldBuckets()
  assert.deepEqual(levelsOf(replica)[0], [])
  assert.ok(replica.rollups.levelsLeftOut > 0)
})
