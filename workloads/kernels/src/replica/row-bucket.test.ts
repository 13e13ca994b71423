import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnType, TableDefinition } from '@truenow/contracts/table-definition.ts'
import { type Column, valueAt } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import { arbitraryColumn } from '../../../contracts/test/arbitrary-columns.ts'
import { Arena } from '../columns/arena.ts'
import { createPlainMemory } from '../columns/plain-memory.ts'
import { TextPools } from '../columns/text-pool.ts'
import type { ChunkSource } from './chunk-source.ts'
import { RowBucket, reserveTexts } from './row-bucket.ts'
import { StagedRows } from './staged-rows.ts'
import { VERSIONS } from './testing/random-log.ts'

const START_US = 1_800_000_000_000_000
const TYPES: readonly ColumnType[] = ['string', 'int64', 'float64', 'bool', 'timestamp']
/** Keeps every text. */
const holder = { oldestEndUs: () => 0 }
/** A bucket of a minute with pools of its own. */
function bucketIn(arena: Arena, [startUs, endUs] = [START_US, START_US + 60_000_000]): RowBucket {
  const pools = new TextPools(arena)
  pools.join(holder)
  return new RowBucket(startUs, endUs, arena, pools)
}

/** Appends rows of a block as a replica does. */
function append(
  bucket: RowBucket,
  columns: readonly Column[],
  definition: TableDefinition,
  rows: Uint32Array,
  numbers: Float64Array,
): void {
  const staged = new StagedRows(bucket.arena, columns, numbers.length)
  reserveTexts(staged, definition, bucket.texts)
  bucket.append(staged, definition, rows, numbers)
  staged.free()
}
const definitionOf = (types: readonly ColumnType[]): TableDefinition => ({
  ...(VERSIONS[0] as TableDefinition),
  columns: types.map((type, index) => ({ name: `c${index}-${type}`, type, nullable: true })),
})

/** A block that has the first so many of the columns, and which of its rows are taken, in order. */
const blockOf = (types: readonly ColumnType[]) =>
  fc
    .record({ rowCount: fc.integer({ min: 1, max: 90 }), columnCount: fc.nat(types.length) })
    .chain(({ rowCount, columnCount }) =>
      fc.record({
        columns: fc.tuple(...types.slice(0, columnCount).map((type) => arbitraryColumn(type, rowCount))),
        ids: fc.uint8Array({ minLength: rowCount * 16, maxLength: rowCount * 16 }),
        offsets: fc.array(fc.nat(59_999_999), { minLength: rowCount, maxLength: rowCount }),
        taken: fc.subarray(
          Array.from({ length: rowCount }, (_, row) => row),
          { minLength: 1 },
        ),
      }),
    )
type Taken = ReturnType<typeof blockOf> extends fc.Arbitrary<infer B> ? B : never
const anyBlocks = fc.array(fc.constantFrom(...TYPES), { minLength: 1, maxLength: 5 }).chain((types) =>
  fc.record({
    types: fc.constant(types),
    blocks: fc.array(blockOf(types), { maxLength: 8 }),
    trims: fc.array(fc.nat(8)),
  }),
)

function appendTo(
  bucket: RowBucket,
  block: Taken,
  definition: TableDefinition,
  firstNumber: number,
): unknown[][] {
  const columns: Column[] = [
    { type: 'id128', values: block.ids },
    { type: 'timestamp', values: Float64Array.from(block.offsets, (offset) => START_US + offset) },
    ...block.columns,
  ]
  const own = { ...definition, columns: definition.columns.slice(0, block.columns.length) }
  const numbers = Float64Array.from(block.offsets, (_, row) => firstNumber + row)
  append(bucket, columns, own, Uint32Array.from(block.taken), numbers)
  return block.taken.map((row) => [
    firstNumber + row,
    START_US + (block.offsets[row] ?? 0),
    Buffer.from(block.ids.subarray(row * 16, row * 16 + 16)).toString('hex'),
    ...definition.columns.map((_, index) => {
      const column = block.columns[index]
      return column === undefined ? null : valueAt(column, row)
    }),
  ])
}

const rowsOf = (sources: readonly ChunkSource[], { columns }: TableDefinition): unknown[][] =>
  sources.flatMap((source) =>
    Array.from({ length: source.rowCount }, (_, row) => [
      source.rowNumbers[row],
      source.times[row],
      Buffer.from(source.resident.chunk.ids().subarray(row * 16, row * 16 + 16)).toString('hex'),
      ...columns.map(({ name }) => {
        const column = source.column(name)
        return column === undefined ? null : valueAt(column, row)
      }),
    ]),
  )

test('RowBucket: its rows are those appended, in order, and a cut stays what it was whatever is appended, trimmed or freed', () => {
  fc.assert(
    fc.property(anyBlocks, ({ types, blocks, trims }) => {
      const arena = new Arena(createPlainMemory())
      const definition = definitionOf(types)
      const bucket = bucketIn(arena)
      const rows: unknown[][] = []
      const cuts: Array<Readonly<{ sources: ChunkSource[]; rowCount: number }>> = []
      for (const [at, block] of blocks.entries()) {
        const sources = bucket.sources(0, definition)
        for (const { resident } of sources) resident.chunk.retain()
        cuts.push({ sources, rowCount: rows.length })
        rows.push(...appendTo(bucket, block, definition, at * 1_000))
        if (trims.includes(at)) bucket.trim()
      }
      assert.deepEqual(rowsOf(bucket.sources(0, definition), definition), rows)
      assert.equal(bucket.rowCount, rows.length)
      bucket.free()
      for (const { sources, rowCount } of cuts) {
        assert.deepEqual(rowsOf(sources, definition), rows.slice(0, rowCount))
        for (const { resident } of sources) resident.chunk.release()
      }
      assert.equal(arena.usedBytes, bucket.texts.residentBytes, 'all memory came back but that of texts')
      bucket.texts.leave(holder)
      assert.equal(arena.usedBytes, 0)
    }),
    { numRuns: 200 },
  )
})

const one = { ...definitionOf(['string', 'float64']) }
const [name = '', number = ''] = one.columns.map((column) => column.name)
/** `count` rows whose text is their number, so that the dictionary grows with them. */
function distinctBlock(first: number, count: number, validity?: Uint8Array) {
  const texts = Array.from({ length: count }, (_, row) => `v${first + row}`)
  const columns: Column[] = [
    { type: 'id128', values: new Uint8Array(count * 16) },
    { type: 'timestamp', values: new Float64Array(count).fill(START_US) },
    { type: 'string', codes: Uint32Array.from(texts, (_, row) => row), dictionary: texts },
    {
      type: 'float64',
      values: Float64Array.from(texts, (_, row) => first + row),
      ...(validity === undefined ? {} : { validity }),
    },
  ]
  const rows = Uint32Array.from(texts, (_, row) => row)
  return { columns, rows, numbers: Float64Array.from(rows, (row) => first + row) }
}

test('RowBucket: codes widen with the dictionary, chunks end at 65,536 rows, and every row stays what it was', () => {
  const bucket = bucketIn(new Arena(createPlainMemory()))
  const total = 146 * 1_024
  for (let first = 0; first < total; first += 1_024) {
    const { columns, rows, numbers } = distinctBlock(first, 1_024)
    append(bucket, columns, one, rows, numbers)
  }
  const sources = bucket.sources(0, one)
  assert.deepEqual(sources.map(({ rowCount }) => rowCount), [65_536, 65_536, total - 2 * 65_536]) // biome-ignore format: one line
  const widths = sources.map(({ resident: { chunk } }) => chunk.layout.columns[0]?.width)
  assert.deepEqual(widths, [2, 4, 4], 'sealed chunks keep their width')
  let row = 0
  for (const source of sources) {
    const [text, value] = [source.column(name), source.column(number)]
    assert.ok(text !== undefined && value !== undefined && value.validity === undefined)
    for (let index = 0; index < source.rowCount; index++, row++) {
      assert.equal(valueAt(text, index), `v${row}`)
      assert.equal(valueAt(value, index), row)
    }
  }
  const used = bucket.residentBytes
  bucket.trim()
  const capacity = bucket.sources(0, one).at(-1)?.resident.chunk.capacity
  assert.equal(capacity, Math.ceil((total - 2 * 65_536) / 4) * 4)
  assert.ok(bucket.residentBytes < used)
})

test('RowBucket: a wide bucket keeps its event times whole', () => {
  const bucket = bucketIn(new Arena(createPlainMemory()), [0, 2 ** 33])
  const { columns, rows, numbers } = distinctBlock(0, 3)
  const times = Float64Array.of(5, 2 ** 32 + 7, 2 ** 33 - 1)
  append(bucket, columns.with(1, { type: 'timestamp', values: times }), one, rows, numbers)
  assert.deepEqual([...(bucket.sources(0, one)[0]?.times.subarray(0, 3) ?? [])], [...times])
})

test('RowBucket: asks the arena for no more than it said', () => {
  fc.assert(
    fc.property(anyBlocks, ({ types, blocks }) => {
      const definition = definitionOf(types)
      const arena = new Arena(createPlainMemory())
      const bucket = bucketIn(arena)
      for (const [at, block] of blocks.entries()) {
        const most = bucket.bytesFor(block.taken.length, definition)
        const rowBytes = () => arena.usedBytes - bucket.texts.residentBytes
        const before = rowBytes()
        appendTo(bucket, block, definition, at * 1_000)
        assert.ok(rowBytes() - before <= most)
      }
    }),
  )
})
