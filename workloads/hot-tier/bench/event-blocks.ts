import type { TableDefinition } from '@truenow/contracts/table-definition.ts'
import type { Block } from '@truenow/contracts/wire/block-v1.ts'

/** Values of each string dimension; event time spans one hour. */
export const REGIONS = 8
export const PRODUCTS = 1_000
export const USERS = 1_000_000
export const START_US = 1_754_772_000_000_000
export const SPAN_US = 3_600_000_000
/** Event times lie up to this far behind the order of the log. */
const JITTER_US = 1_000_000

/** As the quickstart's table, with its rollup. */
export const definition: TableDefinition = {
  namespace: 'production',
  name: 'events',
  version: 1,
  columns: [
    { name: 'region', type: 'string', nullable: false },
    { name: 'product', type: 'string', nullable: false },
    { name: 'user_id', type: 'string', nullable: false },
    { name: 'revenue', type: 'float64', nullable: false },
    { name: 'latency', type: 'float64', nullable: false },
    { name: 'items', type: 'int64', nullable: false },
  ],
  timeColumn: 'event_time_us',
  idColumn: 'event_id',
  partitionBy: ['user_id'],
  slots: 8,
  retentionUs: SPAN_US + 300_000_000,
  allowedLatenessUs: 10_000_000,
  dedupWindowUs: 60_000_000,
  maxFutureSkewUs: 60_000_000,
  idleTimeoutUs: 10_000_000,
  onMemoryFull: 'Evict',
  rollups: [{ dimensions: ['region', 'product'], metrics: ['revenue'], granularityUs: 1_000_000 }],
}

/** Rows as numbers: what a peer loads. `cents` and `tenths` are revenue × 100 and latency × 10. */
export type RowCodes = Readonly<{
  rowCount: number
  regions: Uint8Array
  products: Uint16Array
  users: Uint32Array
  cents: Uint32Array
  tenths: Uint32Array
  items: Uint32Array
  times: Float64Array
}>
export type EventBlock = Readonly<{ block: Block; codes: RowCodes; appendTimeUs: number }>

/** Numbers below a bound, the same on every run. Source: Marsaglia, "Xorshift RNGs" (2003), p. 4. */
function drawer(seed: number): (bound: number) => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return Math.floor(((state >>> 0) / 2 ** 32) * bound)
  }
}

const regionNames = Array.from({ length: REGIONS }, (_, code) => `region-${code}`)
const productNames = Array.from({ length: PRODUCTS }, (_, code) => `product-${code}`)

/** Rows [first, first + rowCount) of a log of `rows`, as one block. A row's id is its number. Cost: O(rowCount). */
export function eventBlock(first: number, rowCount: number, rows: number): EventBlock {
  const draw = drawer(first)
  const codes: RowCodes = {
    rowCount,
    regions: new Uint8Array(rowCount),
    products: new Uint16Array(rowCount),
    users: new Uint32Array(rowCount),
    cents: new Uint32Array(rowCount),
    tenths: new Uint32Array(rowCount),
    items: new Uint32Array(rowCount),
    times: new Float64Array(rowCount),
  }
  for (let row = 0; row < rowCount; row++) {
    codes.regions[row] = draw(REGIONS)
    codes.products[row] = draw(PRODUCTS)
    codes.users[row] = draw(USERS)
    codes.cents[row] = draw(1_000_000)
    codes.tenths[row] = draw(1_000) * draw(1_000)
    codes.items[row] = 1 + draw(9)
    const orderedUs = START_US + Math.floor(((first + row) / rows) * SPAN_US)
    codes.times[row] = Math.max(START_US, orderedUs - draw(JITTER_US))
  }
  const appendTimeUs = START_US + Math.floor(((first + rowCount) / rows) * SPAN_US)
  return { block: blockOf(first, codes), codes, appendTimeUs }
}

function blockOf(first: number, codes: RowCodes): Block {
  const { rowCount, times } = codes
  const ids = new Uint8Array(rowCount * 16)
  const words = new DataView(ids.buffer)
  for (let row = 0; row < rowCount; row++) {
    words.setUint32(row * 16, Math.imul(first + row, 0x9e3779b1)) // A bijection: ids differ and are in no order.
    words.setUint32(row * 16 + 8, 0x80000000)
  }
  return {
    tableVersion: 1,
    rowCount,
    timeUsMin: times.reduce((least, timeUs) => Math.min(least, timeUs), Number.POSITIVE_INFINITY),
    timeUsMax: times.reduce((most, timeUs) => Math.max(most, timeUs), 0),
    columns: [
      { type: 'id128', values: ids },
      { type: 'timestamp', values: times },
      { type: 'string', codes: Uint32Array.from(codes.regions), dictionary: regionNames },
      { type: 'string', codes: Uint32Array.from(codes.products), dictionary: productNames },
      { type: 'string', ...ownDictionary(codes.users) },
      { type: 'float64', values: Float64Array.from(codes.cents, (cents) => cents / 100) },
      { type: 'float64', values: Float64Array.from(codes.tenths, (tenths) => tenths / 10) },
      { type: 'int64', values: Float64Array.from(codes.items) },
    ],
  }
}

/** The dictionary of one block, as the gateway builds it: texts in the order in which they come, made here, for a million held would weigh on whatever imports this. */
function ownDictionary(users: Uint32Array): { codes: Uint32Array; dictionary: string[] } {
  const codeOf = new Map<number, number>()
  const codes = users.map((user) => {
    const code = codeOf.get(user) ?? codeOf.size
    codeOf.set(user, code)
    return code
  })
  return { codes, dictionary: Array.from(codeOf.keys(), (user) => `user-${user}`) }
}
