import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  AggregateFunction,
  CompareOperator,
  type Plan,
  PlanSchema,
} from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import {
  ROLLUP_STEPS_US,
  type RollupDefinition,
  type TableDefinition,
} from '@truenow/contracts/table-definition.ts'
import { valueAt } from '@truenow/contracts/wire/column.ts'
import type { ColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import fc from 'fast-check'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { executePlan } from '../plan/execute-plan.ts'
import { finalizePartial } from '../plan/finalize-partial.ts'
import { mergePartials } from '../plan/merge-partials.ts'
import { type Cut, type ResidentSource, type RollupLevel, WHOLE_BUCKET } from '../plan/row-source.ts'
import { SlotReplica } from '../replica/slot-replica.ts'
import { fold, LOG_START_US, logOf, VERSIONS } from '../replica/testing/random-log.ts'
import { cellColumn, ROWS_COLUMN } from './cell-columns.ts'
import type { RollupLimits } from './rollup-limits.ts'

/*
 * Random logs (late rows, duplicates, expiry, versions mixed) under random rollups: whatever a bucket's cells say is what
 * a person finds who goes through its rows, and whatever a plan answers with cells it answers without. Floats are quarters:
 * their sums are exact in any order, so answers are compared bit for bit.
 */
const { COUNT, SUM, AVG, MIN, MAX } = AggregateFunction
const SECOND_US = 1_000_000
const wasm = new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true })
/** Divided anew for every log: what is left of it then is a leak. */
const MEMORIES = { wasm: () => new Arena(wasm), plain: () => new Arena(createPlainMemory()) } as const

const anyRollup: fc.Arbitrary<RollupDefinition> = fc.record({
  dimensions: fc.uniqueArray(fc.constantFrom('region', 'paid', 'items'), { maxLength: 3 }),
  metrics: fc.constantFrom(['items', 'revenue'], ['revenue', 'items'], ['items'], ['revenue'], []),
  granularityUs: fc.constantFrom(...Object.values(ROLLUP_STEPS_US)),
})
/** The versions of random-log.ts, each with rollups of its own: they come, change and go in mid-log. */
const anyVersions = fc
  .array(fc.array(anyRollup, { maxLength: 3 }), { minLength: VERSIONS.length, maxLength: VERSIONS.length })
  .map((rollups) =>
    VERSIONS.map((version, at): TableDefinition => ({ ...version, rollups: rollups[at] ?? [] })),
  )
const anyLimits: fc.Arbitrary<RollupLimits> = fc.record({
  cellsMax: fc.constantFrom(3, 20, 1_000),
  rowsACellMin: fc.constantFrom(0.001, 1, 2),
  rowsMin: fc.constantFrom(1, 1, 5),
})
const anyReplica = fc.record({
  versions: anyVersions,
  limits: anyLimits,
  seed: fc.nat(1 << 30),
  records: fc.integer({ min: 1, max: 90 }),
  memory: fc.constantFrom('wasm' as const, 'plain' as const),
})
type Given = typeof anyReplica extends fc.Arbitrary<infer Value> ? Value : never

function folded({ versions, limits, seed, records, memory }: Given): SlotReplica {
  const arena = MEMORIES[memory]()
  const replica = new SlotReplica(versions[0] as TableDefinition, { arena, rollupLimits: limits })
  for (const record of logOf(seed, records)) {
    const definition = versions.find(({ version }) => version === record.definition?.version)
    fold(replica, { ...record, definition })
  }
  return replica
}

type Row = Readonly<{ timeUs: number; cells: ReadonlyMap<string, unknown> }>
function rowsOf(sources: readonly ResidentSource[], names: readonly string[]): Row[] {
  return sources.flatMap((source) =>
    Array.from({ length: source.rowCount }, (_, row): Row => {
      const cells = names.map((name) => {
        const column = source.column(name)
        return [name, column === undefined ? null : valueAt(column, row)] as const
      })
      return { timeUs: source.times[row] as number, cells: new Map(cells) }
    }),
  )
}

/** The cells of a level, recounted from rows. */
function recount(rows: readonly Row[], { dimensions, metrics, stepUs }: RollupLevel, startUs: number) {
  const groups = Map.groupBy(rows, ({ timeUs, cells }) => {
    const at = stepUs === WHOLE_BUCKET ? startUs : Math.max(startUs, Math.floor(timeUs / stepUs) * stepUs)
    return JSON.stringify([at, ...dimensions.map((name) => cells.get(name))])
  })
  return [...groups].map(([key, own]) => {
    const states = metrics.map((metric) => {
      const values = own
        .map(({ cells }) => cells.get(metric))
        .filter((value) => value !== null)
        .map(Number)
      const sum = values.reduce((total, value) => total + value, 0)
      return [
        values.length,
        sum,
        ...(values.length === 0 ? [null, null] : [Math.min(...values), Math.max(...values)]),
      ]
    })
    return JSON.stringify([key, own.length, ...states])
  })
}

function cellsOf({ dimensions, metrics, cells }: RollupLevel): string[] {
  const parts = metrics.flatMap((metric) =>
    (['count', 'sum', 'rest', 'high', 'low', 'min', 'max'] as const).map((part) => cellColumn(metric, part)),
  )
  return rowsOf([cells], [...dimensions, ROWS_COLUMN, ...parts]).map(({ timeUs, cells: values }) => {
    const states = metrics.map((metric) => {
      const of = (part: 'count' | 'sum' | 'rest' | 'high' | 'low' | 'min' | 'max') =>
        values.get(cellColumn(metric, part)) as number | null
      const sum =
        metric === 'revenue'
          ? Number(of('sum')) + Number(of('rest'))
          : Number(of('high')) * 2 ** 32 + Number(of('low'))
      return [of('count'), sum, of('min'), of('max')]
    })
    const key = JSON.stringify([timeUs, ...dimensions.map((name) => values.get(name))])
    return JSON.stringify([key, values.get(ROWS_COLUMN), ...states])
  })
}

test('rollups: every level of every bucket is the fold of the rows it stands for', () => {
  let levels = 0
  fc.assert(
    fc.property(anyReplica, (given) => {
      const replica = folded(given)
      const cut = replica.cut(0)
      for (const [rollup, sources] of Map.groupBy(
        cut.sources as ResidentSource[],
        (source) => source.rollup,
      )) {
        if (rollup === undefined) continue
        const rows = rowsOf(sources, ['region', 'paid', 'items', 'revenue'])
        for (const level of rollup.levels) {
          levels += 1
          assert.deepEqual(cellsOf(level).toSorted(), recount(rows, level, rollup.startUs).toSorted())
          assert.ok(level.cells.rowCount <= given.limits.cellsMax)
        }
      }
      cut.release()
      replica.free()
      assert.equal(replica.arena.usedBytes, 0, 'what is freed is all given back')
    }),
    { numRuns: 150 },
  )
  assert.ok(levels > 1_000, `only ${levels} levels were seen`)
})

const value = (kind: object) => ({ kind }) as never
const comparison = (column: string, operator: CompareOperator, ...values: never[]) => ({
  kind: { case: 'comparison' as const, value: { column, operator, values } },
})
const anyLeaf = fc.constantFrom(
  comparison('region', CompareOperator.EQUAL, value({ case: 'stringValue', value: 'eu' })),
  comparison('region', CompareOperator.LIKE, value({ case: 'stringValue', value: 'u%' })),
  comparison('region', CompareOperator.IS_NULL),
  comparison('paid', CompareOperator.EQUAL, value({ case: 'boolValue', value: true })),
  comparison('items', CompareOperator.GREATER, value({ case: 'int64Value', value: 0n })),
  comparison('revenue', CompareOperator.LESS, value({ case: 'float64Value', value: 0 })),
)
const anyFilter = fc.oneof(
  anyLeaf,
  anyLeaf.map((leaf) => ({ kind: { case: 'not' as const, value: leaf } })),
  fc
    .array(anyLeaf, { minLength: 1, maxLength: 2 })
    .map((operands) => ({ kind: { case: 'or' as const, value: { operands } } })),
)
const anyKey = fc.oneof(
  fc
    .constantFrom('region', 'paid', 'items', 'revenue')
    .map((name) => ({ kind: { case: 'column' as const, value: name } })),
  fc
    .constantFrom(1n, 2n, 10n, 60n, 90n, 3_600n)
    .map((seconds) => ({ kind: { case: 'timeBucketUs' as const, value: seconds * BigInt(SECOND_US) } })),
)
const anyCall = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ function: COUNT, column: '' }) },
  { weight: 6, arbitrary: fc.record({ function: fc.constantFrom(COUNT, SUM, AVG, MIN, MAX), column: fc.constantFrom('items', 'revenue') }) }, // biome-ignore format: one line
  { weight: 1, arbitrary: fc.record({ function: fc.constantFrom(COUNT, MIN), column: fc.constantFrom('region', 'paid') }) }, // biome-ignore format: one line
)
/** Edges on seconds and beside them, inside buckets and beyond all of them. */
const anyEdge = fc
  .tuple(fc.integer({ min: -300, max: 600 }), fc.constantFrom(0, 0, 0, -1, 1, 499_999))
  .map(([seconds, us]) => BigInt(LOG_START_US + seconds * SECOND_US + us))
const byValue = (a: bigint, b: bigint) => Number(a - b)
const anyPlan = fc
  .record({
    edges: fc.tuple(anyEdge, anyEdge),
    filter: fc.option(anyFilter, { nil: undefined, freq: 1 }),
    keys: fc.array(anyKey, { maxLength: 2 }),
    aggregates: fc.array(anyCall, { minLength: 1, maxLength: 3 }),
  })
  .map(({ edges, filter, keys, aggregates }) =>
    create(PlanSchema, {
      tableVersion: VERSIONS.length,
      startUs: edges.toSorted(byValue)[0] as bigint,
      endUs: edges.toSorted(byValue)[1] as bigint,
      shape: { case: 'aggregate', value: { keys, aggregates } },
      ...(filter === undefined ? {} : { filter }),
    }),
  )

const noPause = () => undefined
function final(plan: Plan, definition: TableDefinition, batch: ColumnBatch): string[] {
  const {
    rowCount,
    columnCount,
    value: read,
  } = finalizePartial(plan, definition, mergePartials(plan, definition, [batch]))
  const rows = Array.from({ length: rowCount }, (_, row) =>
    Array.from({ length: columnCount }, (_, column) => read(row, column)),
  )
  return rows
    .map((row) => JSON.stringify(row, (_, cell) => (typeof cell === 'bigint' ? `${cell}n` : cell)))
    .toSorted()
}
async function bothWays(plan: Plan, definition: TableDefinition, { sources }: Cut) {
  const withCells = await executePlan(plan, definition, sources, noPause)
  const fromRows = await executePlan({ ...plan, rowsOnly: true }, definition, sources, noPause)
  assert.deepEqual(final(plan, definition, withCells.batch), final(plan, definition, fromRows.batch))
  assert.equal(withCells.rowsMatched, fromRows.rowsMatched)
  assert.equal(fromRows.rowsFromRollups, 0)
  return withCells
}

test('rollups: a plan has the same answer from cells as from rows', async () => {
  let [asked, fromCells, edges] = [0, 0, 0]
  await fc.assert(
    fc.asyncProperty(
      anyReplica,
      fc.array(anyPlan, { minLength: 10, maxLength: 10, size: 'max' }),
      async (given, plans) => {
        const replica = folded(given)
        const cut = replica.cut(0)
        for (const plan of plans) {
          const { rowsFromRollups, rowsMatched } = await bothWays(
            plan,
            given.versions.at(-1) as TableDefinition,
            cut,
          )
          asked += 1
          if (rowsFromRollups > 0) fromCells += 1
          if (rowsFromRollups > 0 && rowsFromRollups < rowsMatched) edges += 1
        }
        cut.release()
        replica.free()
      },
    ),
    { numRuns: 200 },
  )
  assert.ok(fromCells > asked / 20, `only ${fromCells} of ${asked} answers used cells`)
  assert.ok(edges > asked / 100, `only ${edges} of ${asked} answers used cells and rows`)
})
