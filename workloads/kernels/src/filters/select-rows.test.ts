import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { CompareOperator, FilterSchema } from '@truenow/contracts/gen/truenow/v1/partial_query_pb.ts'
import { decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import fc from 'fast-check'
import { Arena } from '../columns/arena.ts'
import { bitmapBytes } from '../columns/chunk-layout.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { Scratch } from '../plan/scratch.ts'
import { SlotReplica } from '../replica/slot-replica.ts'
import { encodeRows } from '../replica/testing/encode-rows.ts'
import { LOG_START_US, VERSIONS } from '../replica/testing/random-log.ts'
import { kernelsOf } from '../simd/kernels-of.ts'
import { evaluateFilter, TRUE } from './evaluate-filter.ts'
import { ALL_ROWS, RowSelector } from './select-rows.ts'

const [before, after] = VERSIONS as [(typeof VERSIONS)[0], (typeof VERSIONS)[0]]
const SPAN_US = 3_000_000
type FilterInit = MessageInitShape<typeof FilterSchema>

const text = (value: string) => ({ kind: { case: 'stringValue' as const, value } })
const number = (value: number) => ({ kind: { case: 'float64Value' as const, value } })
const COMPARISONS = [
  CompareOperator.EQUAL,
  CompareOperator.NOT_EQUAL,
  CompareOperator.LESS,
  CompareOperator.LESS_OR_EQUAL,
  CompareOperator.GREATER,
  CompareOperator.GREATER_OR_EQUAL,
]
const anyText = fc.constantFrom('eu', 'us', '', 'x', '\u{1f600}').map(text)
const anyNumber = fc.constantFrom(-3, 0, 1, 2.5, 1e15).map(number)
const anyBool = fc.boolean().map((value) => ({ kind: { case: 'boolValue' as const, value } }))
const compared = (
  columns: readonly string[],
  value: fc.Arbitrary<ReturnType<typeof text> | ReturnType<typeof number>>,
) =>
  fc.oneof(
    fc.record({
      column: fc.constantFrom(...columns),
      operator: fc.constantFrom(...COMPARISONS),
      values: fc.tuple(value),
    }),
    fc.record({
      column: fc.constantFrom(...columns),
      operator: fc.constant(CompareOperator.IN),
      values: fc.array(value, { maxLength: 12 }),
    }),
  )
const anyComparison = fc.oneof(
  compared(['region', 'product', 'event_id'], anyText),
  compared(['items', 'revenue', 'event_time_us'], anyNumber),
  compared(['paid'], anyBool as never),
  fc.record({
    column: fc.constantFrom('region', 'product'),
    operator: fc.constant(CompareOperator.LIKE),
    values: fc.constantFrom('%', 'e_', '', '%u%').map((pattern) => [text(pattern)]),
  }),
  fc.record({
    column: fc.constantFrom('region', 'items', 'revenue', 'paid', 'product', 'event_id'),
    operator: fc.constant(CompareOperator.IS_NULL),
    values: fc.constant([]),
  }),
)
const { filter: anyFilter } = fc.letrec<{ filter: FilterInit }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    anyComparison.map((value) => ({ kind: { case: 'comparison', value } }) as FilterInit),
    fc
      .array(tie('filter'), { maxLength: 3 })
      .map((operands) => ({ kind: { case: 'and', value: { operands } } }) as FilterInit),
    fc
      .array(tie('filter'), { maxLength: 3 })
      .map((operands) => ({ kind: { case: 'or', value: { operands } } }) as FilterInit),
    tie('filter').map((value) => ({ kind: { case: 'not', value } }) as FilterInit),
  ),
}))

const anyRow = fc.record({
  timeUs: fc.nat(SPAN_US - 1).map((above) => LOG_START_US + above),
  values: fc.tuple(
    fc.constantFrom('eu', 'us', '', '\u{1f600}', null),
    fc.integer({ min: -3, max: 3 }),
    fc.option(fc.constantFrom(0, -0, 1, 2.5, -3), { nil: null }),
    fc.constantFrom(true, false, null),
    fc.constantFrom('x', 'eu', null),
  ),
})
const anyBlocks = fc.array(
  fc.record({ old: fc.boolean(), rows: fc.array(anyRow, { minLength: 1, maxLength: 150 }) }),
  { minLength: 1, maxLength: 4 },
)
const MEMORIES = {
  plain: createPlainMemory(),
  wasm: new WebAssembly.Memory({ initial: 1, maximum: 16_384, shared: true }),
}

for (const [where, memory] of Object.entries(MEMORIES)) {
  test(`RowSelector over ${where} memory: the rows that the twin finds true, inside the range`, () => {
    fc.assert(
      fc.property(anyBlocks, anyFilter, fc.nat(SPAN_US), fc.nat(SPAN_US), (blocks, filterInit, from, to) => {
        const arena = new Arena(memory)
        const replica = new SlotReplica(before, { arena })
        for (const [offset, { old, rows }] of blocks.entries()) {
          const definition = old ? before : after
          const own = rows.map(({ timeUs, values }, index) => ({
            id: `${offset}-${index}`,
            timeUs,
            values: old ? values.slice(0, 4) : [...values],
          }))
          replica.apply(
            decodeBlock(encodeRows(own, definition)),
            definition,
            { offset, checksum: 0 },
            LOG_START_US,
          )
        }
        const filter = create(FilterSchema, filterInit)
        const [startUs, endUs] = [LOG_START_US + Math.min(from, to), LOG_START_US + Math.max(from, to)]
        const scratch = new Scratch(arena)
        const selector = new RowSelector(kernelsOf(arena), scratch, filter, { startUs, endUs })
        const cut = replica.cut(0)
        for (const source of cut.sources) {
          assert.ok(source.resident !== undefined)
          const verdicts = evaluateFilter(filter, source.column, source.rowCount)
          const expected = Array.from({ length: source.rowCount }, (_, row) => row).filter(
            (row) => verdicts[row] === TRUE && source.times[row]! >= startUs && source.times[row]! < endUs,
          )
          const { pointer, count } = selector.select(source as never)
          const bits =
            pointer === ALL_ROWS ? undefined : scratch.bytesAt(pointer, bitmapBytes(source.rowCount))
          const isSet = (row: number) => bits === undefined || ((bits[row >>> 3]! >>> (row & 7)) & 1) === 1
          const found = Array.from({ length: source.rowCount }, (_, row) => row).filter(isSet)
          assert.deepEqual(found, expected)
          assert.equal(count, expected.length)
        }
        scratch.freeAll()
        cut.release()
        replica.free()
        assert.equal(arena.usedBytes, 0, 'all memory came back')
      }),
      { numRuns: 400 },
    )
  })
}
