import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { AggregateFunction, PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { decodeColumnBatch, encodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import fc from 'fast-check'
import { Arena } from '../columns/arena.ts'
import { TextPools } from '../columns/text-pool.ts'
import { SlotReplica } from '../replica/slot-replica.ts'
import { encodeRows, type LogRow } from '../replica/testing/encode-rows.ts'
import { LOG_START_US, VERSIONS } from '../replica/testing/random-log.ts'
import { executePlan } from './execute-plan.ts'
import { finalizePartial } from './finalize-partial.ts'

/** Keys without nulls and one sum: what the kernel numbers by itself. */
const definition: TableDefinition = {
  ...VERSIONS[0]!,
  retentionUs: 3_600_000_000,
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'product', type: 'string', nullable: false },
    { name: 'revenue', type: 'float64', nullable: false },
  ],
}
const BUCKET_US = 1_000
const KEYS = {
  time: { kind: { case: 'timeBucketUs' as const, value: BigInt(BUCKET_US) } },
  region: { kind: { case: 'column' as const, value: 'region' } },
  product: { kind: { case: 'column' as const, value: 'product' } },
}
type KeyName = keyof typeof KEYS

const row = fc.record({
  timeUs: fc.integer({ min: 0, max: 8 * BUCKET_US }),
  region: fc.integer({ min: 0, max: 4 }),
  product: fc.integer({ min: 0, max: 300 }),
  revenue: fc.integer({ min: -1_000, max: 1_000 }).map((quarters) => quarters / 4),
})

test('sums by time buckets and texts, in any order of the keys, are those of a plain count', async () => {
  const blocks = fc.array(fc.array(row, { minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 4 })
  const names = fc.shuffledSubarray(Object.keys(KEYS) as KeyName[], { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(blocks, names, async (logged, keys) => {
      const wanted = new Map<string, number>()
      for (const { timeUs, region, product, revenue } of logged.flat()) {
        const startUs = LOG_START_US + Math.floor(timeUs / BUCKET_US) * BUCKET_US
        const cells = { time: startUs, region: `region-${region}`, product: `product-${product}` }
        const key = keys.map((name) => cells[name]).join()
        wanted.set(key, (wanted.get(key) ?? 0) + revenue)
      }
      assert.deepEqual(await sumsBy(keys, logged), new Map([...wanted].toSorted()))
    }),
    { numRuns: 60 },
  )
})

async function sumsBy(keys: readonly KeyName[], logged: ReadonlyArray<ReadonlyArray<Row>>) {
  const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 1_024, shared: true }))
  const replica = new SlotReplica(definition, { arena, texts: new TextPools(arena) })
  for (const [offset, rows] of logged.entries()) {
    const block = decodeBlock(
      encodeRows(
        rows.map((one, at) => logRow(one, `${offset}-${at}`)),
        definition,
      ),
    )
    replica.apply(block, definition, { offset, checksum: 0 }, LOG_START_US)
  }
  const aggregates = [{ function: AggregateFunction.SUM, column: 'revenue' }]
  const value = { keys: keys.map((name) => KEYS[name]), aggregates }
  const plan = create(PlanSchema, {
    startUs: 0n,
    endUs: BigInt(LOG_START_US) * 2n,
    shape: { case: 'aggregate', value },
  })
  const { batch } = await executePlan(plan, definition, replica.cut(0).sources, () => undefined)
  const final = finalizePartial(plan, definition, decodeColumnBatch(encodeColumnBatch(batch)))
  const sums = Array.from({ length: final.rowCount }, (_, at): [string, unknown] => [
    keys.map((_name, key) => final.value(at, key)).join(),
    final.value(at, keys.length),
  ])
  return new Map(sums.toSorted())
}

type Row = Readonly<{ timeUs: number; region: number; product: number; revenue: number }>
const logRow = ({ timeUs, region, product, revenue }: Row, id: string): LogRow => ({
  id,
  timeUs: LOG_START_US + timeUs,
  values: [`region-${region}`, `product-${product}`, revenue],
})
