import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyColumn, arbitraryColumn } from '../../test/arbitrary-columns.ts'
import { plainColumn } from '../../test/plain-column.ts'
import { TrueNowError } from '../errors.ts'
import type { TableDefinition } from '../table-definition.ts'
import { BLOCK_ROWS_MAX, blockMismatch, blockTableVersion, decodeBlock, encodeBlock } from './block-v1.ts'
import type { Column } from './column.ts'
import { crc32c } from './crc32c.ts'

/** golden/block-v1.hex is what this has always been in Kafka. */
const everything: readonly Column[] = [
  { type: 'id128', values: Uint8Array.from({ length: 32 }, (_, at) => 0xf0 - at) },
  { type: 'timestamp', values: Float64Array.of(1_700_000_000_000_001, 1_700_000_000_000_000) },
  { type: 'string', codes: Uint32Array.of(1, 0), dictionary: ['', 'Zürich'], validity: Uint8Array.of(0b01) },
  { type: 'int64', values: Float64Array.of(-9_007_199_254_740_991, 9_007_199_254_740_991) },
  { type: 'float64', values: Float64Array.of(0.1, -0) },
  { type: 'bool', values: Uint8Array.of(0, 1) },
  { type: 'timestamp', values: Float64Array.of(0, 4_294_967_296) },
]
const golden = Buffer.from(
  readFileSync(new URL('../../golden/block-v1.hex', import.meta.url), 'utf8').replaceAll(/\s/g, ''),
  'hex',
)
const timeless = (column: Column): Column => {
  const { validity: _, ...rest } = column as Column & { validity?: Uint8Array }
  return rest as Column
}
const block = fc.integer({ min: 1, max: 20 }).chain((rowCount) =>
  fc.record({
    tableVersion: fc.nat(0xffffffff),
    rowCount: fc.constant(rowCount),
    columns: fc
      .tuple(
        arbitraryColumn('id128', rowCount).map(timeless),
        arbitraryColumn('timestamp', rowCount).map(timeless),
        fc.array(anyColumn(rowCount), { maxLength: 3 }),
      )
      .map(([id, time, rest]) => [id, time, ...rest]),
  }),
)
const corrupt = { name: 'TrueNowError', code: 'TN_BLOCK_CORRUPT' }

test('block v1: golden bytes, in both directions', () => {
  assert.equal(encodeBlock(7, 2, everything).toString('hex'), golden.toString('hex'))
  const decoded = decodeBlock(golden)
  assert.deepEqual(
    { ...decoded, columns: decoded.columns.map(plainColumn) },
    {
      tableVersion: 7,
      rowCount: 2,
      timeUsMin: 1_700_000_000_000_000,
      timeUsMax: 1_700_000_000_000_001,
      columns: everything,
    },
  )
})

test('block v1: what was encoded comes back, with its least and greatest time', () => {
  fc.assert(
    fc.property(block, fc.nat(9), ({ tableVersion, rowCount, columns }, start) => {
      const encoded = encodeBlock(tableVersion, rowCount, columns)
      // Kafka clients hand values out as parts of a larger buffer.
      const around = Buffer.alloc(start + encoded.length + 5, 0xaa)
      encoded.copy(around, start)
      const value = around.subarray(start, start + encoded.length)
      assert.equal(blockTableVersion(value), tableVersion)
      const { timeUsMin, timeUsMax, ...rest } = decodeBlock(value)
      const plain = { ...rest, columns: rest.columns.map(plainColumn) }
      assert.deepEqual(plain, { tableVersion, rowCount, columns })
      const times = columns[1]?.type === 'timestamp' ? columns[1].values : assert.fail('no time')
      assert.deepEqual([timeUsMin, timeUsMax], [Math.min(...times), Math.max(...times)])
    }),
    { numRuns: 500 },
  )
})

test('block v1: as many rows as allowed, not one more, and not none', () => {
  const columns = (rowCount: number): Column[] => [
    { type: 'id128', values: new Uint8Array(rowCount * 16) },
    { type: 'timestamp', values: new Float64Array(rowCount) },
  ]
  assert.equal(decodeBlock(encodeBlock(1, BLOCK_ROWS_MAX, columns(BLOCK_ROWS_MAX))).rowCount, BLOCK_ROWS_MAX)
  for (const rowCount of [0, BLOCK_ROWS_MAX + 1])
    assert.throws(() => encodeBlock(1, rowCount, columns(rowCount)), { code: 'TN_INTERNAL' })
  assert.throws(() => encodeBlock(1, 1, columns(1).toReversed()), { code: 'TN_INTERNAL' })
})

test('block v1: every single bit flipped is refused', () => {
  for (let bit = 0; bit < golden.length * 8; bit++) {
    const bytes = Buffer.from(golden)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(() => decodeBlock(bytes), corrupt, `bit ${bit}`)
  }
})

test('block v1: cut short, drawn out, or a run of bytes overwritten is refused', () => {
  for (let length = 0; length < golden.length; length++)
    assert.throws(() => decodeBlock(golden.subarray(0, length)), corrupt, `${length} bytes`)
  const change = fc.tuple(fc.nat(golden.length), fc.uint8Array({ minLength: 1, maxLength: 30 }))
  fc.assert(
    fc.property(change, fc.boolean(), ([at, bytes], insert) => {
      const changed = Buffer.concat([
        golden.subarray(0, at),
        bytes,
        golden.subarray(insert ? at : at + bytes.length),
      ])
      if (changed.equals(golden)) return
      assert.throws(() => decodeBlock(changed), corrupt)
    }),
    { numRuns: 3_000 },
  )
})

test('block v1: noise is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
      assert.throws(() => decodeBlock(bytes), corrupt),
    ),
    { numRuns: 2_000 },
  )
})

test('block v1: a wrong header under a right checksum is refused, never believed', () => {
  const fields: ReadonlyArray<[at: number, value: number]> = [
    [0, 0x32424e54],
    [4, 2],
    [12, 3],
    [12, 0],
    [32, 1],
    [36, 1],
  ]
  for (const [at, value] of fields) {
    const bytes = Buffer.from(golden)
    bytes.writeUInt32LE(value, at)
    bytes.writeUInt32LE(crc32c(bytes, 0, bytes.length - 4), bytes.length - 4)
    assert.throws(() => decodeBlock(bytes), corrupt, `byte ${at} = ${value}`)
  }
})

test('block v1: whatever the bytes under a right checksum, decoding ends in a block or a refusal', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 16, max: golden.length - 9 }),
      fc.uint8Array({ minLength: 1, maxLength: 8 }),
      (at, noise) => {
        const bytes = Buffer.from(golden)
        bytes.set(noise.subarray(0, bytes.length - 8 - at), at)
        bytes.writeUInt32LE(crc32c(bytes, 0, bytes.length - 4), bytes.length - 4)
        try {
          decodeBlock(bytes)
        } catch (error) {
          assert.ok(error instanceof TrueNowError && error.code === 'TN_BLOCK_CORRUPT', String(error))
        }
      },
    ),
    { numRuns: 5_000 },
  )
})

const column = (
  name: string,
  type: 'string' | 'int64' | 'float64' | 'bool' | 'timestamp',
  nullable = false,
) => ({
  name,
  type,
  nullable,
})
const definition = {
  version: 7,
  columns: [
    column('city', 'string', true),
    column('n', 'int64'),
    column('x', 'float64'),
    column('ok', 'bool'),
    column('seen', 'timestamp'),
  ],
} as unknown as TableDefinition
const mismatches: ReadonlyArray<[name: string, changed: readonly Column[], says: RegExp]> = [
  ['a column missing', everything.slice(0, 6), /has 6 columns, version 7 has 7/],
  [
    'a column of another type',
    everything.with(3, everything[4]!),
    /column 3 is float64, version 7 says int64/,
  ],
  [
    'nulls where none may be',
    everything.with(5, { type: 'bool', values: Uint8Array.of(0, 0), validity: Uint8Array.of(1) }),
    /column ok holds nulls/,
  ],
]
for (const [name, changed, says] of mismatches) {
  test(`block v1: ${name} does not fit its table version`, () => {
    assert.equal(blockMismatch(decodeBlock(golden), definition), undefined)
    assert.match(blockMismatch(decodeBlock(encodeBlock(7, 2, changed)), definition) ?? '', says)
  })
}
