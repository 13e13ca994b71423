import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type AggregateCall,
  AggregateFunction,
  CompareOperator,
  type Plan,
  PlanSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import {
  type ColumnBatch,
  decodeColumnBatch,
  encodeColumnBatch,
} from '@truenow/contracts/wire/column-batch-v1.ts'
import fc from 'fast-check'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { TextPools } from '../columns/text-pool.ts'
import { type ReplicaMemory, SlotReplica } from '../replica/slot-replica.ts'
import { encodeRows, type LogRow } from '../replica/testing/encode-rows.ts'
import { LOG_START_US, VERSIONS } from '../replica/testing/random-log.ts'
import { executePlan } from './execute-plan.ts'
import type { FinalValue } from './finalize-aggregate.ts'
import { finalizePartial } from './finalize-partial.ts'
import { mergePartials } from './merge-partials.ts'
import type { RowSource } from './row-source.ts'

/*
 * Random rows in random blocks of random slots on random shards under random plans: what comes out of execute, wire,
 * merge and finalize is what a person finds who goes through the rows one by one.
 */
const HOUR_US = 3_600_000_000
const [before, after] = VERSIONS.map((version) => ({ ...version, retentionUs: HOUR_US })) as [TableDefinition, TableDefinition] // biome-ignore format: one line
const {
  COUNT,
  SUM,
  MIN,
  MAX,
  AVG,
  VAR_POP,
  VAR_SAMP,
  STDDEV_POP,
  STDDEV_SAMP,
  FIRST,
  LAST,
  COUNT_DISTINCT,
  APPROX_COUNT_DISTINCT,
  QUANTILE,
  TOP_K,
} = AggregateFunction
const VARIANCES: readonly AggregateFunction[] = [VAR_POP, VAR_SAMP, STDDEV_POP, STDDEV_SAMP]
type Cell = string | number | boolean | null
type Row = Readonly<{ slot: number; rowNumber: number; cells: Readonly<Record<string, Cell>> }>
type Block = Readonly<{ slot: number; old: boolean; rows: readonly LogRow[] }>

const SLOTS = 4
const SPAN_US = 600_000_000
const anyRow = fc.record({
  timeUs: fc.nat(SPAN_US - 1).map((offsetUs) => LOG_START_US + (offsetUs % 7 === 0 ? 0 : offsetUs)),
  values: fc.tuple(
    fc.constantFrom('eu', 'us', '', '\u{1f600}', null),
    fc.oneof(fc.integer({ min: -5, max: 5 }), fc.maxSafeInteger()),
    fc.option(
      fc.integer({ min: -4_000, max: 4_000 }).map((quarters) => quarters / 4),
      { nil: null },
    ),
    fc.constantFrom(true, false, null),
    fc.constantFrom('a', 'b', null),
  ),
})
const anyBlocks: fc.Arbitrary<Block[]> = fc
  .array(fc.record({ slot: fc.nat(SLOTS - 1), old: fc.boolean(), rows: fc.array(anyRow, { minLength: 1, maxLength: 20 }) }), { maxLength: 12 }) // biome-ignore format: one line
  .map((blocks) =>
    blocks.map(({ rows, ...block }, at) => ({
      ...block,
      rows: rows.map(({ values, ...row }, index) => ({
        ...row,
        id: `${at}-${index}`,
        values: block.old ? values.slice(0, 4) : values,
      })),
    })),
  )

type ShapeInit = NonNullable<MessageInitShape<typeof PlanSchema>['shape']>
const columnKey = (value: string) => ({ kind: { case: 'column' as const, value } })
const anyKey = fc.oneof(
  fc
    .constantFrom('region', 'items', 'revenue', 'paid', 'product', 'event_id', 'event_time_us')
    .map(columnKey),
  fc
    .constantFrom(1_000_000n, 60_000_000n, 7n)
    .map((value) => ({ kind: { case: 'timeBucketUs' as const, value } })),
)
const anyCall = fc.oneof(
  fc.constant({ function: COUNT, column: '' }),
  fc.record({ function: fc.constantFrom(SUM, AVG), column: fc.constantFrom('items', 'revenue') }),
  fc.record({
    function: fc.constant(QUANTILE),
    column: fc.constantFrom('items', 'revenue'),
    quantile: fc.constantFrom(0, 1),
  }),
  fc.record({
    function: fc.constant(TOP_K),
    column: fc.constantFrom('region', 'paid', 'event_id'),
    k: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({ function: fc.constantFrom(...VARIANCES), column: fc.constant('revenue') }),
  fc.record({
    function: fc.constantFrom(COUNT, MIN, MAX, FIRST, LAST, COUNT_DISTINCT, APPROX_COUNT_DISTINCT),
    column: fc.constantFrom('region', 'items', 'revenue', 'paid', 'product', 'event_id', 'event_time_us'),
  }),
)
const anyAggregate = fc
  .record({
    keys: fc.array(anyKey, { maxLength: 3 }),
    aggregates: fc.array(anyCall, { minLength: 1, maxLength: 4 }),
  })
  .map((value): ShapeInit => ({ case: 'aggregate', value }))
const anyRows = fc
  .record({
    columns: fc.uniqueArray(
      fc.constantFrom('event_id', 'event_time_us', 'region', 'items', 'paid', 'product'),
    ),
    limit: fc.integer({ min: 1, max: 60 }),
  })
  .map((value): ShapeInit => ({ case: 'rows', value }))
const anyPlan = fc
  .record({
    shape: fc.oneof(anyAggregate, anyRows),
    range: fc.tuple(fc.nat(SPAN_US), fc.nat(SPAN_US)),
    bound: fc.option(fc.integer({ min: -300, max: 300 }), { nil: undefined }),
  })
  .map(({ shape, range, bound }) => {
    const values = [{ kind: { case: 'float64Value' as const, value: bound ?? 0 } }]
    const comparison = { column: 'revenue', operator: CompareOperator.GREATER, values }
    const [startUs, endUs] = range
      .map((offset) => BigInt(LOG_START_US + offset))
      .toSorted((a, b) => Number(a - b))
    return {
      bound,
      plan: create(PlanSchema, {
        tableVersion: after.version,
        startUs: startUs ?? 0n,
        endUs: endUs ?? 0n,
        shape,
        ...(bound === undefined ? {} : { filter: { kind: { case: 'comparison', value: comparison } } }),
      }),
    }
  })

/** Where rows are: a memory a replica (then their twins read several together), one of plain bytes, one of WebAssembly. */
const sharing = (arena: Arena) => ({ arena, texts: new TextPools(arena) })
const sharedPlain = sharing(new Arena(createPlainMemory()))
const wasmMemory = new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true })
const sharedWasm = sharing(new Arena(wasmMemory))
const MEMORIES: Readonly<Record<string, () => ReplicaMemory>> = {
  apart: () => ({}),
  plain: () => sharedPlain,
  wasm: () => sharedWasm,
}

/** Replicas of the slots, and all rows as records with their place in the log. */
function folded(blocks: readonly Block[], memory: () => ReplicaMemory = () => sharedWasm) {
  const replicas = new Map<number, SlotReplica>()
  const rows: Row[] = []
  for (const [offset, { slot, old, rows: own }] of blocks.entries()) {
    const replica = replicas.get(slot) ?? new SlotReplica(before, memory())
    replicas.set(slot, replica)
    const definition = old ? before : after
    for (const [index, { id, timeUs, values }] of own.entries()) {
      const cells = Object.fromEntries(definition.columns.map(({ name }, at) => [name, values[at] ?? null]))
      const rowNumber = replica.counters.logRows + index
      rows.push({ slot, rowNumber, cells: { event_id: id, event_time_us: timeUs, product: null, ...cells } })
    }
    replica.apply(decodeBlock(encodeRows(own, definition)), definition, { offset, checksum: 0 }, LOG_START_US)
  }
  return { replicas, rows }
}

const noPause = () => undefined
const overTheWire = (batch: ColumnBatch) => decodeColumnBatch(encodeColumnBatch(batch))
async function partial(plan: Plan, sources: readonly RowSource[]): Promise<ColumnBatch> {
  return overTheWire((await executePlan(plan, after, sources, noPause)).batch)
}
/** Final rows of a partial result; the groups of an aggregate in an order that does not depend on how they were found. */
function final(plan: Plan, batch: ColumnBatch): FinalValue[][] {
  const { rowCount, columnCount, value } = finalizePartial(plan, after, batch)
  const rows = Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: columnCount }, (_, column) => value(row, column)),
  )
  return plan.shape.case === 'rows' ? rows : rows.toSorted(byText)
}
const textOf = (row: readonly FinalValue[]) =>
  JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
const byText = (a: readonly FinalValue[], b: readonly FinalValue[]) => (textOf(a) < textOf(b) ? -1 : 1)

function bruteForce(
  { shape, startUs, endUs }: Plan,
  bound: number | undefined,
  rows: readonly Row[],
): FinalValue[][] {
  const kept = rows.filter(({ cells }) => {
    const [timeUs, revenue] = [Number(cells.event_time_us), cells.revenue ?? null]
    return (
      timeUs >= startUs &&
      timeUs < endUs &&
      (bound === undefined || (revenue !== null && Number(revenue) > bound))
    )
  })
  if (shape.case === 'rows') {
    const own = ['event_id', 'event_time_us', ...after.columns.map(({ name }) => name)]
    const names = shape.value.columns.length === 0 ? own : shape.value.columns
    const timeOf = ({ cells }: Row) => Number(cells.event_time_us)
    return kept
      .toSorted((a, b) => timeOf(b) - timeOf(a) || a.slot - b.slot || b.rowNumber - a.rowNumber)
      .slice(0, shape.value.limit)
      .map(({ cells }) => names.map((name) => cells[name] ?? null))
  }
  assert.ok(shape.case === 'aggregate')
  const { keys, aggregates } = shape.value
  const groups = new Map<string, { key: Cell[]; rows: Row[] }>()
  if (keys.length === 0) groups.set('[]', { key: [], rows: [] })
  for (const row of kept) {
    const key = keys.map(({ kind }): Cell => {
      if (kind.case === 'column') return row.cells[kind.value] ?? null
      const [timeUs, bucketUs] = [Number(row.cells.event_time_us), Number(kind.value)]
      return timeUs - (timeUs % bucketUs)
    })
    const name = JSON.stringify(key)
    const group = groups.get(name) ?? { key, rows: [] }
    groups.set(name, group)
    group.rows.push(row)
  }
  return [...groups.values()]
    .map(({ key, rows: members }) => [...key, ...aggregates.map((call) => aggregated(call, members))])
    .toSorted(byText)
}

function aggregated(
  { function: name, column, quantile, k }: AggregateCall,
  members: readonly Row[],
): FinalValue {
  if (column === '') return members.length
  const cells = members.map(({ cells: all }) => all[column] ?? null).filter((cell) => cell !== null)
  if (name === COUNT) return cells.length
  // So few values are exact in a sketch too.
  if (name === COUNT_DISTINCT || name === APPROX_COUNT_DISTINCT) return new Set(cells).size
  if (name === TOP_K) return topOf(cells, k)
  const [one] = cells
  if (one === undefined) return null
  // The ends of a digest are exact.
  if (name === QUANTILE)
    return cells.map(Number).reduce((a, b) => (quantile === 0 ? Math.min(a, b) : Math.max(a, b))) + 0
  if (VARIANCES.includes(name)) return variance(name, cells.map(Number))
  if (name === FIRST || name === LAST) return chosen(name === FIRST ? -1 : 1, column, members)
  if (name === MIN || name === MAX) {
    const sign = name === MIN ? -1 : 1
    const order = (a: Cell, b: Cell) =>
      typeof a === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(String(b))) : Number(a) - Number(b)
    return cells.reduce((best, cell) => (order(cell, best) * sign > 0 ? cell : best), one)
  }
  if (column === 'revenue') {
    const sum = cells.map(Number).reduce((a, b) => a + b) // Quarters: exact in any order.
    return name === SUM ? sum + 0 : (sum + 0) / cells.length
  }
  const sum = cells.reduce<bigint>((total, cell) => total + BigInt(Number(cell)), 0n)
  return name === SUM ? sum : nearest(sum, cells.length)
}
/** From exact sums of quarters. */
function variance(name: AggregateFunction, cells: readonly number[]): number | null {
  const [sum, squares] = [
    cells.reduce((a, b) => a + b, 0),
    cells.reduce((total, cell) => total + cell * cell, 0),
  ]
  const m2 = (squares * cells.length - sum * sum) / cells.length
  const divisor = cells.length - (name === VAR_SAMP || name === STDDEV_SAMP ? 1 : 0)
  if (divisor === 0) return null
  return name === VAR_POP || name === VAR_SAMP ? m2 / divisor : Math.sqrt(m2 / divisor)
}
function topOf(cells: readonly Exclude<Cell, null>[], k: number): FinalValue {
  const order = (a: Cell, b: Cell) =>
    typeof a === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(String(b))) : Number(a) - Number(b)
  return [...new Set(cells)]
    .map((value) => ({ value, count: cells.filter((cell) => cell === value).length, error_max: 0 }))
    .sort((a, b) => b.count - a.count || order(a.value, b.value))
    .slice(0, k)
}
function chosen(sign: -1 | 1, column: string, members: readonly Row[]): Cell {
  const timeOf = ({ cells }: Row) => Number(cells.event_time_us)
  const [row] = members
    .filter(({ cells }) => (cells[column] ?? null) !== null)
    .toSorted(
      (a, b) => (timeOf(b) - timeOf(a)) * sign || a.slot - b.slot || (b.rowNumber - a.rowNumber) * sign,
    )
  return row?.cells[column] ?? null
}
/** Equal, but for what the division of a variance may round. */
function assertFinal(plan: Plan, found: FinalValue[][], expected: FinalValue[][], how: string): void {
  const { aggregates = [], keys = [] } = plan.shape.case === 'aggregate' ? plan.shape.value : {}
  const rounded = new Set(
    aggregates.flatMap((call, at) => (VARIANCES.includes(call.function) ? [keys.length + at] : [])),
  )
  const exact = (rows: FinalValue[][]) => rows.map((row) => row.filter((_, column) => !rounded.has(column)))
  assert.deepEqual(exact(found), exact(expected), how)
  for (const [at, row] of found.entries()) {
    for (const column of rounded) {
      const [value, wanted] = [row[column] ?? null, expected[at]?.[column] ?? null]
      if (wanted === null) assert.equal(value, null, how)
      else
        assert.ok(Math.abs(Number(value) - Number(wanted)) <= 1e-9 * (1 + Number(wanted)), `${how}: ${value}`)
    }
  }
}
/** The double nearest to sum / count: by its integer part and what is left. */
const nearest = (sum: bigint, count: number) =>
  Number(sum / BigInt(count)) + Number(sum % BigInt(count)) / count

for (const [where, memory] of Object.entries(MEMORIES)) {
  test(`executePlan, merge and finalize over memory ${where}: equal a recount, for any rows, blocks, slots, shards and plans`, async () => {
    await fc.assert(
      fc.asyncProperty(
        anyBlocks,
        anyPlan,
        fc.array(fc.nat(2), { minLength: SLOTS, maxLength: SLOTS }),
        async (blocks, { plan, bound }, shardOf) => {
          const { replicas, rows } = folded(blocks, memory)
          const expected = bruteForce(plan, bound, rows)
          const cuts = [...replicas].map(([slot, replica]) => ({
            shard: shardOf[slot],
            cut: replica.cut(slot),
          }))
          // What the cuts read stays, whatever becomes of the replicas.
          for (const replica of replicas.values()) replica.free()
          const sources = cuts.flatMap(({ cut }) => cut.sources)
          assertFinal(plan, final(plan, await partial(plan, sources)), expected, 'at once')
          const parts = await Promise.all(
            [2, 0, 1].map((wanted) =>
              partial(
                plan,
                cuts.flatMap(({ shard, cut }) => (shard === wanted ? cut.sources : [])),
              ),
            ),
          )
          assertFinal(
            plan,
            final(plan, overTheWire(mergePartials(plan, after, parts))),
            expected,
            'merged at once',
          )
          const nested = mergePartials(plan, after, parts.slice(1))
          assertFinal(plan, final(plan, mergePartials(plan, after, [overTheWire(nested), ...parts.slice(0, 1)])), expected, 'merged in a tree') // biome-ignore format: one line
          for (const { cut } of cuts) cut.release()
          assert.deepEqual(
            [sharedPlain.arena.usedBytes, sharedWasm.arena.usedBytes],
            [0, 0],
            'all memory came back',
          )
        },
      ),
      { numRuns: 150 },
    )
  })
}

test('executePlan: counts what it reads and what it keeps, and lets others go on between two sources', async () => {
  const row = (timeUs: number, id: string): LogRow => ({ id, timeUs, values: ['eu', 1, 1, true] })
  const { replicas } = folded([
    { slot: 0, old: true, rows: [row(LOG_START_US, 'a'), row(LOG_START_US + 1, 'b')] },
    { slot: 1, old: true, rows: [row(LOG_START_US + 1, 'c')] },
    { slot: 2, old: true, rows: [row(LOG_START_US + HOUR_US, 'd')] },
  ])
  const sources = [...replicas].flatMap(([slot, replica]) => replica.cut(slot).sources)
  const plan = create(PlanSchema, {
    startUs: BigInt(LOG_START_US + 1),
    endUs: BigInt(LOG_START_US + HOUR_US),
    shape: { case: 'aggregate', value: { aggregates: [{ function: COUNT, column: '' }] } },
  })
  let pauses = 0
  const { rowsScanned, rowsMatched } = await executePlan(plan, after, sources, () => void pauses++)
  // The source beyond the end is pruned by its bounds.
  assert.deepEqual([rowsScanned, rowsMatched, pauses], [3, 2, 2])
  const stop = new Error('the asker left')
  const leaving = executePlan(plan, after, sources, () => Promise.reject(stop))
  await assert.rejects(leaving, stop)
})

test('executePlan: newest rows read no bucket that is older than what they have', async () => {
  const blocks = Array.from({ length: 9 }, (_, minute) => ({
    slot: 0,
    old: true,
    rows: [{ id: `${minute}`, timeUs: LOG_START_US + minute * 60_000_000, values: ['eu', 1, 1, true] }],
  }))
  const { replicas } = folded(blocks)
  const sources = [...replicas].flatMap(([slot, replica]) => replica.cut(slot).sources)
  const plan = create(PlanSchema, {
    startUs: 0n,
    endUs: BigInt(LOG_START_US + HOUR_US),
    shape: { case: 'rows', value: { columns: ['event_id'], limit: 1 } },
  })
  const { batch, rowsScanned } = await executePlan(plan, after, sources, noPause)
  assert.deepEqual(final(plan, batch), [['8']])
  assert.equal(rowsScanned, 1)
})

test('groups beyond the limit are an error with its name, on a shard and where partials meet', async () => {
  const rows = ['a', 'b', 'c'].map((region) => ({
    id: region,
    timeUs: LOG_START_US,
    values: [region, 1, 1, true],
  }))
  const { replicas } = folded([{ slot: 0, old: true, rows: rows.slice(0, 2) }, { slot: 1, old: true, rows: rows.slice(1) }]) // biome-ignore format: one line
  const planOf = (groupsMax: number) =>
    create(PlanSchema, {
      startUs: 0n,
      endUs: BigInt(LOG_START_US + 1),
      shape: {
        case: 'aggregate',
        value: { keys: [columnKey('region')], aggregates: [{ function: COUNT, column: '' }], groupsMax },
      },
    })
  const [one, two] = [...replicas].map(([slot, replica]) => replica.cut(slot).sources) as [
    RowSource[],
    RowSource[],
  ]
  const limit = { code: 'TN_QUERY_LIMIT', details: { limit: 'QUERY_GROUPS_MAX', max: 2 } }
  await assert.rejects(partial(planOf(2), [...one, ...two]), limit)
  const parts = [await partial(planOf(2), one), await partial(planOf(2), two)]
  assert.throws(() => mergePartials(planOf(2), after, parts), limit)
  assert.equal(mergePartials(planOf(3), after, parts).rowCount, 3)
})

test('mergePartials: a batch that is no partial result of the plan is refused, never half read', () => {
  const shapes: ShapeInit[] = [
    {
      case: 'aggregate',
      value: { keys: [columnKey('region')], aggregates: [{ function: COUNT, column: '' }] },
    },
    { case: 'rows', value: { columns: ['region'], limit: 5 } },
  ]
  for (const shape of shapes) {
    const plan = create(PlanSchema, { startUs: 0n, endUs: 1n, shape })
    const whole = mergePartials(plan, after, [])
    for (const missing of whole.columns) {
      const columns = whole.columns.filter((one) => one !== missing)
      assert.throws(() => mergePartials(plan, after, [{ rowCount: 0, columns }]), {
        code: 'TN_BLOCK_CORRUPT',
      })
    }
  }
})

test('executePlan: a bucket with far more groups than allowed is given up after a piece of it', async () => {
  const rowCount = 400_000
  let pauses = 0
  const source: RowSource = {
    slot: 0,
    rowCount,
    times: new Float64Array(rowCount).fill(LOG_START_US),
    timeUsMin: LOG_START_US,
    timeUsMax: LOG_START_US,
    rowNumbers: Float64Array.from({ length: rowCount }, (_, row) => row),
    column: (name) =>
      name === 'items'
        ? {
            type: 'int64',
            values: Float64Array.from({ length: rowCount }, (_, row) => row),
          }
        : undefined,
  }
  const definition: TableDefinition = {
    ...after,
    columns: [{ name: 'items', type: 'int64', nullable: false }],
  }
  const planOf = (groupsMax: number) =>
    create(PlanSchema, {
      startUs: BigInt(LOG_START_US),
      endUs: BigInt(LOG_START_US + 1),
      shape: {
        case: 'aggregate',
        value: { keys: [columnKey('items')], aggregates: [{ function: COUNT, column: '' }], groupsMax },
      },
    })
  const pause = () => {
    pauses += 1
    return undefined
  }
  await assert.rejects(executePlan(planOf(70_000), definition, [source], pause), { code: 'TN_QUERY_LIMIT' })
  assert.equal(pauses, 1, 'the second piece passed the limit, and nothing was read after it')
  const { batch } = await executePlan(planOf(rowCount), definition, [source], pause)
  assert.equal(batch.rowCount, rowCount)
})

test('executePlan: few rows take little memory, however many groups their keys could make', async () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true })
  const replica = new SlotReplica(before, sharing(new Arena(memory)))
  const values = ['eu', 1, 0.5, true] as const
  const rows = [0, 1_000_000].map((us) => ({ id: `${us}`, timeUs: LOG_START_US + us, values }))
  replica.apply(decodeBlock(encodeRows(rows, before)), before, { offset: 0, checksum: 0 }, LOG_START_US)
  const value = {
    keys: [{ kind: { case: 'timeBucketUs' as const, value: 1n } }],
    aggregates: [{ function: SUM, column: 'revenue' }],
  }
  const endUs = BigInt(LOG_START_US + 2_000_000)
  const plan = create(PlanSchema, { startUs: 0n, endUs, shape: { case: 'aggregate', value } })
  const cut = replica.cut(0)
  const bytes = memory.buffer.byteLength
  const batch = await partial(plan, cut.sources)
  cut.release()
  assert.deepEqual(final(plan, batch), rows.map(({ timeUs }) => [timeUs, 0.5])) // biome-ignore format: one line
  const taken = memory.buffer.byteLength - bytes
  // Memory grows by 4 MiB at least; a cell a microsecond would be 24 MB.
  assert.ok(taken < 8 << 20, `${taken} bytes for two rows`)
})
