import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Column, valueAt } from '@truenow/contracts/wire/column.ts'
import fc from 'fast-check'
import { pickRows } from './pick-rows.ts'

const ROWS = 9
const COLUMNS: readonly Column[] = [
  {
    type: 'string',
    codes: Uint8Array.from({ length: ROWS }, (_, row) => row % 4),
    dictionary: ['', 'a', 'b', 'c'],
  },
  { type: 'float64', values: Float64Array.from({ length: ROWS }, (_, row) => row / 4) },
  { type: 'timestamp', values: Float64Array.from({ length: ROWS }, (_, row) => row) },
  { type: 'bool', values: Uint8Array.from({ length: ROWS }, (_, row) => row & 1) },
  { type: 'id128', values: Uint8Array.from({ length: 16 * ROWS }, (_, at) => at) },
  { type: 'int128', values: Array.from({ length: ROWS }, (_, row) => BigInt(row) << 70n) },
  { type: 'bytes', values: Array.from({ length: ROWS }, (_, row) => Uint8Array.of(row)) },
]

test('pickRows: row i of what was picked is the row that was asked for, of every type, nulls too', () => {
  const rows = fc.array(fc.nat(ROWS - 1), { maxLength: 20 }).map((list) => Uint32Array.from(list))
  const validity = fc.option(fc.uint8Array({ minLength: 2, maxLength: 2 }), { nil: undefined })
  fc.assert(
    fc.property(fc.constantFrom(...COLUMNS), rows, validity, (plain, picked, bits) => {
      const column = bits === undefined ? plain : { ...plain, validity: bits }
      const found = pickRows(column, picked)
      assert.deepEqual(
        Array.from(picked, (_, at) => valueAt(found, at)),
        Array.from(picked, (row) => valueAt(column, row)),
      )
      if (found.type === 'string') assert.ok(found.dictionary.length <= new Set(picked).size)
    }),
  )
})
