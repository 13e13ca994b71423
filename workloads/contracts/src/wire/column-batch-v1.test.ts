import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyColumn, arbitraryColumn, WIRE_TYPES } from '../../test/arbitrary-columns.ts'
import { plainColumn } from '../../test/plain-column.ts'
import { TrueNowError } from '../errors.ts'
import { type Column, isValid, valueAt } from './column.ts'
import { BATCH_ROWS_MAX, type ColumnBatch, decodeColumnBatch, encodeColumnBatch } from './column-batch-v1.ts'
import { Utf8Dictionary } from './dictionary.ts'

/** Every type and encoding, with and without nulls; golden/column-batch-v1.hex is what it has always been on the wire. */
const everything: ColumnBatch = {
  rowCount: 3,
  columns: [
    { name: 'text', column: { type: 'string', codes: Uint32Array.of(1, 0, 1), dictionary: ['', 'ü€😀'] } },
    { name: 'near', column: { type: 'int64', values: Float64Array.of(-5, 4_294_967_290, 0) } },
    { name: 'far', column: { type: 'int64', values: Float64Array.of(-5, 4_294_967_291, 0) } },
    { name: 'real', column: { type: 'float64', values: Float64Array.of(-0, 0.1, Number.POSITIVE_INFINITY) } },
    {
      name: 'flag',
      column: { type: 'bool', values: Uint8Array.of(1, 0, 0), validity: Uint8Array.of(0b011) },
    },
    { name: 'time', column: { type: 'timestamp', values: Float64Array.of(1.7e15, 1.7e15 + 1, 1.7e15 - 1) } },
    { name: 'id', column: { type: 'id128', values: Uint8Array.from({ length: 48 }, (_, at) => at) } },
    {
      name: 'sum',
      column: {
        type: 'int128',
        values: [-(2n ** 127n), 2n ** 127n - 1n, -1n],
        validity: Uint8Array.of(0b111),
      },
    },
  ],
}
const golden = Buffer.from(
  readFileSync(new URL('../../golden/column-batch-v1.hex', import.meta.url), 'utf8').replaceAll(/\s/g, ''),
  'hex',
)

/** Bytes came later, for the states of sketches: a golden of their own, so that the first one stays as it was. */
const states: ColumnBatch = {
  rowCount: 3,
  columns: [
    {
      name: 'a0.sketch',
      column: { type: 'bytes', values: [Uint8Array.of(1, 2, 255), Uint8Array.of(), Uint8Array.of(7)] },
    },
    {
      name: 'n',
      column: {
        type: 'bytes',
        values: [Uint8Array.of(), Uint8Array.of(), Uint8Array.of()],
        validity: Uint8Array.of(0),
      },
    },
  ],
}
const goldenStates = Buffer.from(
  readFileSync(new URL('../../golden/column-batch-v1-bytes.hex', import.meta.url), 'utf8').replaceAll(
    /\s/g,
    '',
  ),
  'hex',
)

test('column batch v1: golden bytes of a column of bytes, in both directions, and cut short it is refused', () => {
  assert.equal(encodeColumnBatch(states).toString('hex'), goldenStates.toString('hex'))
  assert.deepEqual(columnsOf(decodeColumnBatch(goldenStates)), states)
  for (let length = 0; length < goldenStates.length - 7; length++)
    decodedOrRefused(goldenStates.subarray(0, length))
  for (let at = 0; at < goldenStates.length; at++) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const bytes = Buffer.from(goldenStates)
      bytes[at]! ^= mask
      decodedOrRefused(bytes)
    }
  }
})

const batch: fc.Arbitrary<ColumnBatch> = fc.nat(20).chain((rowCount) =>
  fc
    .array(
      fc.record(
        { name: fc.string({ unit: 'grapheme', maxLength: 12 }), column: anyColumn(rowCount) },
        { noNullPrototype: true },
      ),
      {
        maxLength: 4,
      },
    )
    .map((columns) => ({ rowCount, columns })),
)
const columnsOf = ({ rowCount, columns }: ColumnBatch) => ({
  rowCount,
  columns: columns.map(({ name, column }) => ({ name, column: plainColumn(column) })),
})

test('column batch v1: golden bytes, in both directions', () => {
  assert.equal(encodeColumnBatch(everything).toString('hex'), golden.toString('hex'))
  assert.deepEqual(columnsOf(decodeColumnBatch(golden)), everything)
})

test('column batch v1: what was encoded comes back, wherever it stands, copied or in place', () => {
  fc.assert(
    fc.property(batch, fc.nat(20), fc.boolean(), (original, start, inPlace) => {
      const encoded = encodeColumnBatch(original)
      assert.equal(encoded.length % 8, 0)
      const around = Buffer.alloc(start + encoded.length + 8, 0xaa)
      encoded.copy(around, start)
      const { end, ...decoded } = decodeColumnBatch(around, start, inPlace)
      assert.equal(end, start + encoded.length)
      assert.deepEqual(columnsOf(decoded), original)
      if (!inPlace) around.fill(0x55)
      assert.deepEqual(columnsOf(decoded), original)
    }),
    { numRuns: 1_000 },
  )
})

test('column batch v1: encoding what was decoded gives the same bytes', () => {
  fc.assert(
    fc.property(batch, (original) => {
      const encoded = encodeColumnBatch(original)
      assert.deepEqual(encodeColumnBatch(decodeColumnBatch(encoded)), encoded)
    }),
  )
})

for (const entries of [1, 256, 257, 65_536, 65_537]) {
  test(`column batch v1: a dictionary of ${entries}`, () => {
    const dictionary = Array.from({ length: entries }, (_, entry) => entry.toString(36))
    const codes = Uint32Array.of(0, entries - 1, entries >> 1)
    const original: ColumnBatch = {
      rowCount: 3,
      columns: [{ name: '', column: { type: 'string', codes, dictionary } }],
    }
    assert.deepEqual(columnsOf(decodeColumnBatch(encodeColumnBatch(original))), original)
  })
}

test('column batch v1: decoded columns keep nothing of the bytes they came from', () => {
  const bytes = Buffer.from(golden)
  const decoded = decodeColumnBatch(bytes)
  bytes.fill(0xff)
  assert.deepEqual(columnsOf(decoded), everything)
})

/** Decodes, or refuses with the one code; anything else fails the test. */
function decodedOrRefused(bytes: Uint8Array): ColumnBatch | undefined {
  try {
    return decodeColumnBatch(bytes)
  } catch (error) {
    assert.ok(error instanceof TrueNowError && error.code === 'TN_BLOCK_CORRUPT', String(error))
    return undefined
  }
}
/** What a reader may rely on in whatever was not refused. */
function assertLawful({ rowCount, columns }: ColumnBatch): void {
  for (const { column } of columns) {
    assert.ok(column.validity === undefined || column.validity.length === Math.ceil(rowCount / 8))
    for (let row = 0; row < rowCount; row++) {
      const value = valueAt(
        { ...column, validity: new Uint8Array(Math.ceil(rowCount / 8)).fill(255) } as Column,
        row,
      )
      assert.notEqual(value, undefined)
      if (column.type === 'int64' || column.type === 'timestamp')
        assert.ok(Number.isSafeInteger(value), `${value}`)
      if (column.type === 'bool') assert.ok(column.values[row] === 0 || column.values[row] === 1)
    }
  }
}

test('column batch v1: cut short anywhere it is refused', () => {
  for (let length = 0; length < golden.length; length++) {
    const decoded = decodedOrRefused(golden.subarray(0, length))
    // Only padding may be missing: blocks compare `end` with their own length.
    if (decoded !== undefined) assert.deepEqual(columnsOf(decoded), everything)
    if (decoded !== undefined) assert.ok(golden.length - length < 8)
  }
})

test('column batch v1: any one byte changed to any other is refused or a lawful batch', () => {
  for (let at = 0; at < golden.length; at++) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const bytes = Buffer.from(golden)
      bytes[at]! ^= mask
      const decoded = decodedOrRefused(bytes)
      if (decoded !== undefined) assertLawful(decoded)
    }
  }
})

test('column batch v1: no bytes at all make it fail otherwise or hold more than they say', () => {
  const header = fc.tuple(fc.nat(3), fc.nat(9)).map(([columns, rows]) => [columns, 0, 0, 0, rows, 0, 0, 0])
  const noise = fc
    .tuple(header, fc.uint8Array({ maxLength: 120 }))
    .map(([head, tail]) => Uint8Array.of(...head, ...tail))
  fc.assert(
    fc.property(fc.oneof(noise, fc.uint8Array({ maxLength: 80 })), (bytes) => {
      const decoded = decodedOrRefused(bytes)
      if (decoded !== undefined) assertLawful(decoded)
    }),
    { numRuns: 20_000 },
  )
})

const refused: ReadonlyArray<[name: string, change: (bytes: Buffer) => void, says: RegExp]> = [
  [
    'more rows than a batch may have',
    (bytes) => bytes.writeUInt32LE(BATCH_ROWS_MAX + 1, 4),
    /at most 16777216/,
  ],
  ['an unknown type', (bytes) => bytes.writeUInt8(9, 8), /unknown type 9/],
  ['an unknown encoding', (bytes) => bytes.writeUInt8(3, 9), /encoding 3/],
  ['more columns than there are', (bytes) => bytes.writeUInt16LE(9, 0), /it ends at byte/],
]
for (const [name, change, says] of refused) {
  test(`column batch v1: ${name} is refused in words`, () => {
    const bytes = Buffer.from(golden)
    change(bytes)
    assert.throws(() => decodeColumnBatch(bytes), { code: 'TN_BLOCK_CORRUPT', message: says })
  })
}

test('column batch v1: an integer beyond 2^53 is refused, in either encoding', () => {
  const limit = Number.MAX_SAFE_INTEGER
  const one = (...values: number[]): ColumnBatch => ({
    rowCount: values.length,
    columns: [{ name: '', column: { type: 'int64', values: Float64Array.from(values) } }],
  })
  const offsets = encodeColumnBatch(one(limit, limit - 1))
  offsets.writeUInt32LE(2, offsets.length - 8)
  assert.throws(() => decodeColumnBatch(offsets), { code: 'TN_BLOCK_CORRUPT' })
  const plain = encodeColumnBatch(one(limit, -limit))
  plain.writeBigInt64LE(2n ** 53n, plain.length - 16)
  assert.throws(() => decodeColumnBatch(plain), { code: 'TN_BLOCK_CORRUPT', message: /9007199254740992/ })
})

test('column: validity says where a value is, and valueAt shows it as people see it', () => {
  const shown = everything.columns.map(({ column }) => [0, 1, 2].map((row) => valueAt(column, row)))
  assert.deepEqual(shown, [
    ['ü€😀', '', 'ü€😀'],
    [-5, 4_294_967_290, 0],
    [-5, 4_294_967_291, 0],
    [-0, 0.1, Number.POSITIVE_INFINITY],
    [true, false, null],
    [1.7e15, 1.7e15 + 1, 1.7e15 - 1],
    [
      '000102030405060708090a0b0c0d0e0f',
      '101112131415161718191a1b1c1d1e1f',
      '202122232425262728292a2b2c2d2e2f',
    ],
    [-(2n ** 127n), 2n ** 127n - 1n, -1n],
  ])
  for (const type of WIRE_TYPES) {
    fc.assert(
      fc.property(arbitraryColumn(type, 11), fc.nat(10), (column, row) => {
        const bit = column.validity === undefined || ((column.validity[row >> 3]! >> (row % 8)) & 1) === 1
        assert.equal(isValid(column, row), bit)
        assert.equal(valueAt(column, row) === null, !bit)
      }),
      { numRuns: 50 },
    )
  }
})

test('column batch v1: a dictionary that is not UTF-8, as a whole or text by text, is refused', () => {
  const batchOf = (bytes: Uint8Array, ends: Uint32Array): ColumnBatch => {
    const column: Column = {
      type: 'string',
      codes: Uint32Array.of(0),
      dictionary: new Utf8Dictionary(bytes, ends),
    }
    return { rowCount: 1, columns: [{ name: '', column }] }
  }
  const euro = Buffer.from('€')
  assert.equal(decodedOrRefused(encodeColumnBatch(batchOf(euro, Uint32Array.of(3))))?.rowCount, 1)
  for (const [bytes, ends] of [
    [euro.subarray(0, 2), Uint32Array.of(2)],
    [Buffer.of(0xff), Uint32Array.of(1)],
    [euro, Uint32Array.of(1, 3)],
  ] as const)
    assert.equal(decodedOrRefused(encodeColumnBatch(batchOf(bytes, ends))), undefined)
})
