import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeEventId } from '@truenow/contracts/event-id.ts'
import { BLOCK_BYTES_MAX, blockMismatch, decodeBlock } from '@truenow/contracts/wire/block-v1.ts'
import { isValid, valueAt } from '@truenow/contracts/wire/column.ts'
import { textsOf } from '@truenow/contracts/wire/dictionary.ts'
import fc from 'fast-check'
import { buildBlock } from './build-block.ts'
import { buildColumns } from './build-columns.ts'
import type { EventValue } from './check-value.ts'
import { ROWS_BYTES_MAX, rowBytes, rowProblem } from './row-bytes.ts'
import { eventsSchema, eventsTable, NOW_US } from './testing/events-table.ts'

const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null, freq: 4 })
const text = fc.oneof(fc.constantFrom('', 'eu', 'us'), fc.string({ unit: 'grapheme', maxLength: 5 }))
const row: fc.Arbitrary<readonly EventValue[]> = fc.tuple(
  fc.oneof(fc.uuid(), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })),
  fc.integer({ min: NOW_US - 1_000_000, max: NOW_US }),
  text,
  orNull(text),
  orNull(fc.maxSafeInteger()),
  orNull(fc.double({ noNaN: true, noDefaultInfinity: true })),
  orNull(fc.boolean()),
  orNull(fc.maxSafeInteger()),
)
const idText = (id: string) => {
  const bytes = new Uint8Array(16)
  encodeEventId(id, bytes, 0)
  return Buffer.from(bytes).toString('hex')
}

test('buildBlock: the rows stand in the block, in order, under the version of their table', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
      const block = decodeBlock(buildBlock(eventsSchema, rows))
      assert.deepEqual([block.rowCount, block.tableVersion], [rows.length, eventsTable.version])
      assert.equal(blockMismatch(block, eventsTable), undefined)
      const found = rows.map((_, at) => block.columns.map((column) => valueAt(column, at)))
      assert.deepEqual(
        found,
        rows.map(([id, ...rest]) => [idText(String(id)), ...rest]),
      )
    }),
    { numRuns: 300 },
  )
})

test('buildColumns: zero stands under every null, no bitmap where there is none, no text twice', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
      for (const [index, column] of buildColumns(eventsSchema, rows).entries()) {
        assert.equal(
          column.validity === undefined,
          rows.every((values) => values[index] !== null),
        )
        const raw = column.type === 'string' ? column.codes : column.values
        for (let at = 0; at < rows.length; at++) if (!isValid(column, at)) assert.equal(raw.at(at), 0)
        if (column.type === 'string')
          assert.equal(new Set(textsOf(column.dictionary)).size, column.dictionary.length)
      }
    }),
    { numRuns: 300 },
  )
})

test('rowBytes: rows within the budget make a block that Kafka takes, whatever their text', () => {
  const textOf = (character: string, length: number): readonly EventValue[] => {
    const values = ['id', NOW_US, character.repeat(length), 'n', 1, 1.5, true, NOW_US]
    return values
  }
  const bytesOfEmpty = rowBytes(eventsSchema, textOf('', 0))
  const length = 20_000
  const count = Math.floor(ROWS_BYTES_MAX / (bytesOfEmpty + length))
  const rows = Array.from({ length: count }, (_, at) => textOf(String.fromCharCode(0x4e00 + at), length))
  assert.ok(rows.reduce((sum, values) => sum + rowBytes(eventsSchema, values), 0) <= ROWS_BYTES_MAX)
  assert.ok(buildBlock(eventsSchema, rows).length <= BLOCK_BYTES_MAX)
  const most = textOf('x', ROWS_BYTES_MAX - bytesOfEmpty)
  assert.equal(rowProblem(eventsSchema, most), undefined)
  const above = textOf('x', ROWS_BYTES_MAX - bytesOfEmpty + 1)
  assert.match(rowProblem(eventsSchema, above) ?? '', /takes 2097153 bytes; one event may take 2097152/)
})
