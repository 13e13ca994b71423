import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { AggregateFunction, PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import type { Column } from '@truenow/contracts/wire/column.ts'
import {
  type ColumnBatch,
  decodeColumnBatch,
  encodeColumnBatch,
} from '@truenow/contracts/wire/column-batch-v1.ts'
import { decodeTDigest } from '@truenow/contracts/wire/t-digest-v1.ts'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { TextPools } from '../columns/text-pool.ts'
import { SlotReplica } from '../replica/slot-replica.ts'
import { encodeRows, type LogRow } from '../replica/testing/encode-rows.ts'
import { LOG_START_US, VERSIONS } from '../replica/testing/random-log.ts'
import { quantileOfTDigest, tDigestRankError } from '../sketches/t-digest.ts'
import { seededUnit, seededWords } from '../sketches/testing/seeded-words.ts'
import { executeAnywhere, executePlan } from './execute-plan.ts'

/*
 * Sketches and ends over more rows than the random plans of execute-plan.test.ts have: enough that registers become dense
 * between two chunks, and that values are condensed. The reference is the twin over the same sources.
 */
const definition = { ...VERSIONS[1]!, retentionUs: 3_600_000_000 }
/** Its buckets are wider than 2^32 µs: event times are doubles. */
const wide = { ...definition, retentionUs: 8_640_000_000_000 }
const BLOCKS = 8
const BLOCK_ROWS = 4_000
const unit = seededUnit(seededWords(7))
const REGIONS = ['eu', 'us', null] as const

/** Rows of one slot: in `eu` few products and items, elsewhere thousands. */
function rowsOf(block: number): LogRow[] {
  return Array.from({ length: BLOCK_ROWS }, (_, index) => {
    const region = REGIONS[Math.floor(unit() * 3)]!
    const spread = region === 'eu' ? 90 : 9_000
    const revenue = unit() < 0.1 ? null : Math.exp(8 * unit())
    const values = [
      region,
      Math.floor(unit() * spread),
      revenue,
      unit() < 0.5,
      `p${Math.floor(unit() * spread)}`,
    ]
    return { id: `${block}-${index}`, timeUs: LOG_START_US + Math.floor(unit() * 600_000_000), values }
  })
}
const blocks = Array.from({ length: BLOCKS }, (_, block) => rowsOf(block))

function cutOver(arena: Arena, table = definition) {
  const memory = { arena, texts: new TextPools(arena) }
  const replicas = [0, 1].map(() => new SlotReplica(table, memory))
  for (const [offset, rows] of blocks.entries()) {
    const block = decodeBlock(encodeRows(rows, table))
    replicas[offset % 2]!.apply(block, table, { offset, checksum: 0 }, LOG_START_US)
  }
  return replicas.flatMap((replica, slot) => replica.cut(slot).sources)
}
const MEMORIES = {
  plain: () => new Arena(createPlainMemory()),
  wasm: () => new Arena(new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true })),
}

const { APPROX_COUNT_DISTINCT, FIRST, LAST, QUANTILE } = AggregateFunction
const byRegion = { kind: { case: 'column' as const, value: 'region' } }
const byMinute = { kind: { case: 'timeBucketUs' as const, value: 60_000_000n } }
const planOf = (
  calls: ReadonlyArray<Readonly<{ function: AggregateFunction; column: string }>>,
  keys = [byRegion],
) =>
  create(PlanSchema, {
    startUs: BigInt(LOG_START_US),
    endUs: BigInt(LOG_START_US + 600_000_000),
    shape: { case: 'aggregate', value: { keys, aggregates: [...calls] } },
  })

/** Columns by name, groups in the order of their keys. */
function byKey(batch: ColumnBatch): Map<string, unknown[]> {
  const { columns, rowCount } = decodeColumnBatch(encodeColumnBatch(batch))
  const cells = (column: Column) =>
    Array.from({ length: rowCount }, (_, row) => {
      const isNull = column.validity !== undefined && ((column.validity[row >>> 3]! >>> (row & 7)) & 1) === 0
      if (isNull) return null
      return column.type === 'string' ? column.dictionary.at(column.codes[row]!) : column.values.at(row)
    })
  const keys = columns.filter(({ name }) => name.startsWith('k')).map(({ column }) => cells(column))
  const order = Array.from({ length: rowCount }, (_, row) => row).toSorted((a, b) =>
    JSON.stringify(keys.map((key) => key[a])) < JSON.stringify(keys.map((key) => key[b])) ? -1 : 1,
  )
  return new Map(columns.map(({ name, column }) => [name, order.map((row) => cells(column)[row])]))
}
const noPause = () => undefined

for (const [where, arena] of Object.entries(MEMORIES)) {
  test(`registers and ends by cell over memory ${where}: the states of the twins, bit for bit`, async () => {
    const narrow = cutOver(arena())
    const distinct = ['product', 'items', 'revenue'].map((column) => ({
      function: APPROX_COUNT_DISTINCT,
      column,
    }))
    const ends = ['product', 'revenue', 'paid'].flatMap((column) =>
      [FIRST, LAST].map((one) => ({ function: one, column })),
    )
    const wider = cutOver(arena(), wide)
    assert.deepEqual([narrow, wider].map(([one]) => one?.resident?.chunk.layout.timeWidth), [4, 8]) // biome-ignore format: one line
    for (const [keys, sources] of [
      [[], narrow],
      [[byRegion], narrow],
      [[byRegion, byMinute], narrow],
      [[byRegion], wider],
    ] as const) {
      // biome-ignore format: one line
      const plan = planOf([...distinct, ...ends], keys as unknown as [])
      // Twice: the second time every text is hashed already.
      for (let time = 0; time < 2; time++) {
        const found = byKey((await executePlan(plan, definition, sources, noPause)).batch)
        const wanted = byKey((await executeAnywhere(plan, definition, sources, noPause)).batch)
        assert.deepEqual(found, wanted)
      }
    }
  })

  test(`quantiles by cell over memory ${where}: within the bound, and the same bits again`, async () => {
    const sources = cutOver(arena())
    const plan = planOf(['items', 'revenue'].map((column) => ({ function: QUANTILE, column })))
    const found = byKey((await executePlan(plan, definition, sources, noPause)).batch)
    assert.deepEqual(byKey((await executePlan(plan, definition, sources, noPause)).batch), found)
    for (const [at, column] of [1, 2].entries()) {
      for (const [group, region] of (found.get('k0') as (string | null)[]).entries()) {
        const values = blocks
          .flat()
          .filter((row) => row.values[0] === region && row.values[column] !== null)
          .map((row) => Number(row.values[column]))
          .sort((a, b) => a - b)
        const digest = decodeTDigest((found.get(`a${at}.sketch`) as Uint8Array[])[group]!)
        assert.equal(
          digest.weights.reduce((sum, weight) => sum + weight, 0),
          values.length,
        )
        for (const q of [0, 0.001, 0.05, 0.5, 0.95, 0.99, 0.999, 1]) {
          const answer = quantileOfTDigest(digest, q)!
          const [below, upTo] = [
            values.filter((value) => value < answer).length,
            values.filter((value) => value <= answer).length,
          ]
          const slack = tDigestRankError(q) * values.length + 1
          const rank = q * (values.length - 1)
          assert.ok(
            below - slack <= rank && rank <= upTo + slack,
            `${region} ${q}: ${below} to ${upTo}, not ${rank}`,
          )
        }
      }
    }
  })
}

test('the last of each group is found in older rows too, where newer rows have as many groups that are others', async () => {
  const calls = [{ function: LAST, column: 'items' }]
  const at = (minute: number, ...values: LogRow['values']): LogRow[] => [
    { id: `${minute}`, timeUs: LOG_START_US + minute * 60_000_000, values },
  ]
  const [before] = VERSIONS
  const asked = {
    // Null is a group of the newer rows only.
    region: [
      at(0, 'us', 1, null, null),
      ['eu', '', null].flatMap((region, index) => at(1 + index, region, 2, null, null)),
    ],
    // The older rows have no such column.
    product: [at(0, 'us', 1, null, null), at(1, 'eu', 2, null, null, 'p')],
  } as const
  for (const [name, [older, newer]] of Object.entries(asked)) {
    const table = { ...before!, retentionUs: 3_600_000_000 }
    const arena = MEMORIES.wasm()
    const replica = new SlotReplica(table, { arena, texts: new TextPools(arena) })
    for (const [offset, [rows, version]] of [[older, table] as const, [newer, definition] as const].entries())
      replica.apply(decodeBlock(encodeRows(rows, version)), version, { offset, checksum: 0 }, LOG_START_US)
    const { sources } = replica.cut(0)
    const plan = planOf(calls, [{ kind: { case: 'column' as const, value: name } }])
    const found = byKey((await executePlan(plan, definition, sources, noPause)).batch)
    assert.deepEqual(found, byKey((await executeAnywhere(plan, definition, sources, noPause)).batch))
  }
})
