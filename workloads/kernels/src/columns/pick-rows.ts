import { type Column, isValid } from '@truenow/contracts/wire/column.ts'
import { WideIntegers } from '@truenow/contracts/wire/int128s.ts'

/** The given rows of a column, in that order; a row may come twice. A dictionary keeps only what is used. Cost: O(rows). */
export function pickRows(column: Column, rows: Uint32Array): Column {
  const picked = withoutValidity(column, rows)
  if (column.validity === undefined) return picked
  const validity = new Uint8Array(Math.ceil(rows.length / 8))
  for (let at = 0; at < rows.length; at++) {
    if (isValid(column, rows[at]!)) validity[at >>> 3]! |= 1 << (at & 7)
  }
  return { ...picked, validity }
}

function withoutValidity(column: Column, rows: Uint32Array): Column {
  const { type } = column
  switch (type) {
    case 'string':
      return pickTexts(column, rows)
    case 'id128': {
      const values = new Uint8Array(rows.length * 16)
      for (const [at, row] of rows.entries())
        values.set(column.values.subarray(row * 16, row * 16 + 16), at * 16)
      return { type, values }
    }
    case 'int128': {
      const { words } = WideIntegers.of(column.values, column.values.length)
      const picked = WideIntegers.zeros(rows.length)
      for (let at = 0; at < rows.length; at++)
        for (let word = 0; word < 4; word++) picked.words[4 * at + word] = words[4 * rows[at]! + word]!
      return { type, values: picked }
    }
    case 'bytes':
      return { type, values: Array.from(rows, (row) => column.values[row]!) }
    case 'bool':
      return { type, values: Uint8Array.from(rows, (row) => column.values[row]!) }
    default: {
      const values = new Float64Array(rows.length)
      for (let at = 0; at < rows.length; at++) values[at] = column.values[rows[at]!]!
      return { type, values }
    }
  }
}

function pickTexts({ codes, dictionary }: Extract<Column, { type: 'string' }>, rows: Uint32Array): Column {
  const own = new Map<number, number>()
  const picked = new Uint32Array(rows.length)
  for (let at = 0; at < rows.length; at++) {
    const code = codes[rows[at]!]!
    let known = own.get(code)
    if (known === undefined) {
      known = own.size
      own.set(code, known)
    }
    picked[at] = known
  }
  return {
    type: 'string',
    codes: picked,
    dictionary: Array.from(own.keys(), (code) => dictionary.at(code) ?? ''),
  }
}
