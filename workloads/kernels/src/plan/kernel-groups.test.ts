import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { AggregateFunction, PlanSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { decodeColumnBatch, encodeColumnBatch } from '@truenow/contracts/wire/column-batch-v1.ts'
import { Arena } from '../columns/arena.ts'
import { TextPools } from '../columns/text-pool.ts'
import { SlotReplica } from '../replica/slot-replica.ts'
import { encodeRows, type LogRow } from '../replica/testing/encode-rows.ts'
import { LOG_START_US, VERSIONS } from '../replica/testing/random-log.ts'
import { executePlan } from './execute-plan.ts'
import { finalizePartial } from './finalize-partial.ts'
import { limitGroups } from './limit-groups.ts'
import { mergePartials } from './merge-partials.ts'

const definition = { ...VERSIONS[1]!, retentionUs: 3_600_000_000 }
const { AVG, COUNT, MAX, SUM } = AggregateFunction
/** More texts than are told in the order of their codes (key-cells.ts). */
const TEXTS = 70_000
const BLOCK_ROWS = 10_000
const WORKERS = 2

/** Worker 1 has half of the texts of worker 0, and as many others; some rows have none. */
const rowsOf = (worker: number): LogRow[] =>
  Array.from({ length: TEXTS }, (_, row) => {
    const text = (row * 7_919) % TEXTS
    const product = row % 5_000 === 0 ? null : `product-${text + (worker * TEXTS) / 2}`
    const values = ['eu', row, row % 3 === 0 ? null : row / 4, true, product]
    return { id: `${worker}-${row}`, timeUs: LOG_START_US + row, values }
  })

async function partialOf(worker: number, plan: Parameters<typeof executePlan>[0]) {
  const arena = new Arena(new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true }))
  const replica = new SlotReplica(definition, { arena, texts: new TextPools(arena) })
  const rows = rowsOf(worker)
  for (let offset = 0; offset * BLOCK_ROWS < TEXTS; offset++) {
    const some = rows.slice(offset * BLOCK_ROWS, (offset + 1) * BLOCK_ROWS)
    const block = decodeBlock(encodeRows(some, definition))
    replica.apply(block, definition, { offset, checksum: 0 }, LOG_START_US)
  }
  const { batch } = await executePlan(plan, definition, replica.cut(worker).sources, () => undefined)
  return decodeColumnBatch(encodeColumnBatch(batch), 0, true)
}

test('many texts of two workers: groups are told in an order of hashes, and merged they are those of all rows', async () => {
  const aggregates = [
    { function: COUNT, column: '' },
    { function: SUM, column: 'items' },
    { function: AVG, column: 'revenue' },
    { function: MAX, column: 'items' },
  ]
  const keys = [{ kind: { case: 'column' as const, value: 'product' } }]
  const order = [{ output: 1, descending: true }]
  const shape = { case: 'aggregate' as const, value: { keys, aggregates, order, limit: 100 } }
  const plan = create(PlanSchema, { startUs: 0n, endUs: BigInt(LOG_START_US) * 2n, shape })
  const batches = await Promise.all(Array.from({ length: WORKERS }, (_, worker) => partialOf(worker, plan)))
  const first = finalizePartial(plan, definition, batches[0]!)
  assert.notDeepEqual([1, 2, 3].map((row) => first.value(row, 0)), [1, 2, 3].map((row) => rowsOf(0)[row]!.values[4])) // biome-ignore format: one line
  assert.equal(first.value(first.rowCount - 1, 0), null)

  const wanted = new Map<unknown, { count: number; sum: bigint; revenues: number[]; most: number }>()
  for (const { values } of Array.from({ length: WORKERS }, (_, worker) => rowsOf(worker)).flat()) {
    const [, items, revenue, , product] = values as [string, number, number | null, boolean, string | null]
    const held = wanted.get(product) ?? { count: 0, sum: 0n, revenues: [], most: 0 }
    wanted.set(product, {
      count: held.count + 1,
      sum: held.sum + BigInt(items),
      revenues: revenue === null ? held.revenues : [...held.revenues, revenue],
      most: Math.max(held.most, items),
    })
  }
  const merged = mergePartials(plan, definition, batches)
  const isRight = ({ value }: typeof first, row: number) => {
    const group = wanted.get(value(row, 0))
    const all = group?.revenues.reduce((sum, one) => sum + one, 0) ?? 0
    const mean = group?.revenues.length === 0 ? null : all / (group?.revenues.length ?? 1)
    const found = [1, 2, 3, 4].map((column) => value(row, column))
    return [group?.count, group?.sum, mean, group?.most].every((cell, at) => cell === found[at])
  }
  const final = finalizePartial(plan, definition, merged)
  assert.equal(final.rowCount, wanted.size)
  assert.equal(Array.from({ length: final.rowCount }, (_, row) => isRight(final, row)).indexOf(false), -1)

  const limited = finalizePartial(plan, definition, limitGroups(plan, merged))
  // Null has most rows; the others have one or two, and of equal counts the first by text come.
  const texts = [...wanted]
    .filter(([key, { count }]) => key !== null && count === 2)
    .map(([key]) => String(key))
  assert.deepEqual(
    Array.from({ length: limited.rowCount }, (_, row) => limited.value(row, 0)),
    [null, ...texts.toSorted().slice(0, 99)],
  )
  assert.ok(isRight(limited, 0) && isRight(limited, 99))
})
