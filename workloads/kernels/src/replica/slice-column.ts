import type { Column } from '@truenow/contracts/wire/column.ts'

/** Rows [from, end) of a column; `from` is a multiple of 8. A dictionary keeps the texts that these rows use, and no others. */
export function sliceColumn(column: Column, from: number, end: number): Column {
  const bits = column.validity?.slice(from / 8, Math.ceil(end / 8))
  const validity = bits === undefined ? {} : { validity: bits }
  switch (column.type) {
    case 'string': {
      const own = new Int32Array(column.dictionary.length).fill(-1)
      const dictionary: string[] = []
      const codes = Uint32Array.from(column.codes.subarray(from, end), (code) => {
        if (own[code]! < 0) own[code] = dictionary.push(column.dictionary.at(code) ?? '') - 1
        return own[code]!
      })
      return { type: column.type, codes, dictionary, ...validity }
    }
    case 'id128':
      return { type: column.type, values: column.values.subarray(from * 16, end * 16), ...validity }
    case 'bool':
      return { type: column.type, values: column.values.subarray(from, end), ...validity }
    case 'int128':
    case 'bytes':
      throw new TypeError(`${column.type} is a type of partial results, not of columns`)
    default:
      return { type: column.type, values: column.values.subarray(from, end), ...validity }
  }
}
