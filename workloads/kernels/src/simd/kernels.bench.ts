import assert from 'node:assert/strict'
import {
  FEW_GROUPS_SCRATCH_BYTES,
  KERNEL_COMPARE,
  KEY_CELL_BYTES,
  type Kernels,
  SUM_KEY_BYTES,
  sumWorkBytes,
} from './kernels.ts'
import { loadKernels } from './load-kernels.ts'
import { referenceKernels } from './reference-kernels.ts'

/*
 * Each kernel over 20 M rows as 305 chunks of 65,536, which no cache holds, beside its TypeScript twin over the same
 * memory. The twin takes its turn on TWIN_CHUNKS chunks only and is scaled up: it is written to be read, not to be fast.
 * One JSON line a row: milliseconds of CPU time for 20 M rows, best of RUNS, for the machine's other work can only add.
 * `ratio` is peer / ours.
 */
const CHUNK = 65_536
const CHUNKS = 305
const TWIN_CHUNKS = 5
const RUNS = 5
const KEY_CELLS = 2 ** 21

const memory = new WebAssembly.Memory({ initial: 11_000, maximum: 65_536, shared: true })
const [ours, peer] = [loadKernels(memory), referenceKernels(memory)]
let next = 4_096
const place = (bytes: number): number => {
  const at = next
  next += Math.ceil(bytes / 64) * 64 + 64
  return at
}
const rows = CHUNK * CHUNKS
const [values, ids, offsets, groups, codes16, codes8] = [8, 8, 4, 4, 2, 1].map((width) =>
  place(rows * width),
) as [number, number, number, number, number, number]
const [out, half, eighth, list] = [8_192, 8_192, 8_192, CHUNK * 8].map(place) as [
  number,
  number,
  number,
  number,
]
const [verdicts, state, states] = [1_024, 64, 24 * 8_000].map(place) as [number, number, number]
const [scratch, used, table] = [FEW_GROUPS_SCRATCH_BYTES, 16, KEY_CELLS * KEY_CELL_BYTES].map(place) as [
  number,
  number,
  number,
]
const SUM_CELLS = 65_536
const [keys, work, sums] = [2 * SUM_KEY_BYTES, sumWorkBytes(SUM_CELLS), 24 * SUM_CELLS].map(place) as [
  number,
  number,
  number,
]

function fill(): void {
  const { buffer } = memory
  const [f64, u32, u16, u8] = [
    new Float64Array(buffer),
    new Uint32Array(buffer),
    new Uint16Array(buffer),
    new Uint8Array(buffer),
  ]
  let random = 1
  const below = (limit: number): number => {
    random ^= random << 13
    random ^= random >>> 17
    random ^= random << 5
    return Math.floor(((random >>> 0) / 2 ** 32) * limit)
  }
  for (let row = 0; row < rows; row++) {
    f64[values / 8 + row] = below(1_000_000) / 100
    f64[ids / 8 + row] = below(1_000_000)
    u32[offsets / 4 + row] = row * 180
    u32[groups / 4 + row] = below(8_000)
    u16[codes16 / 2 + row] = below(1_000)
    u8[codes8 + row] = below(8)
  }
  for (let entry = 0; entry < 1_000; entry++) u8[verdicts + entry] = Number(entry % 3 === 0)
  for (let row = 0; row < CHUNK; row++) {
    u8[half + (row >>> 3)]! |= below(2) << (row & 7)
    u8[eighth + (row >>> 3)]! |= Number(below(8) === 0) << (row & 7)
  }
}

/** A call for each chunk; the addresses are those of the chunk's first row. */
type Call = (kernels: Kernels, chunk: Readonly<Record<'v' | 'id' | 'o' | 'g' | 'c16' | 'c8', number>>) => void
const n = CHUNK
const CALLS: Readonly<Record<string, Call>> = {
  'select f64 >': (k, { v }) => k.selectF64(KERNEL_COMPARE.GREATER, v, n, 5_000, out),
  'select f64 between': (k, { v }) => k.selectF64Between(v, n, 5_000, 6_000, out),
  'select u32 between': (k, { o }) => k.selectU32Between(o, n, 5_000, 600_000_000, out),
  'select code = u8': (k, { c8 }) => k.selectCodeEqual8(c8, n, 3, out),
  'select code = u16': (k, { c16 }) => k.selectCodeEqual16(c16, n, 3, out),
  'select code in u8': (k, { c8 }) => k.selectCodeIn8(c8, n, verdicts, out),
  'select code in u16': (k, { c16 }) => k.selectCodeIn16(c16, n, verdicts, out),
  'bitmap rows, half': (k) => k.bitmapRows(half, n, list),
  'sum f64': (k, { v }) => k.sumF64(v, n, 0, state),
  'sum f64 of a half': (k, { v }) => k.sumF64(v, n, half, state),
  'sum f64 of an eighth': (k, { v }) => k.sumF64(v, n, eighth, state),
  'sum f64, two filters': (k, { v, c8, c16 }) => {
    k.selectCodeEqual8(c8, n, 3, out)
    k.selectCodeIn16(c16, n, verdicts, list)
    k.bitmapAnd(out, list, n, out)
    k.sumF64(v, n, out, state)
  },
  'sum i64': (k, { id }) => k.sumI64(id, n, 0, state),
  'min and max f64': (k, { v }) => k.minMaxF64(v, n, 0, state),
  'count by 8': (k, { c8 }) => k.countBy8(c8, n, 0, states, scratch),
  'sum f64 by 8': (k, { v, c8 }) => k.sumF64By8(v, c8, n, 0, states, scratch),
  'sum f64 by 8 of a half': (k, { v, c8 }) => k.sumF64By8(v, c8, n, half, states, scratch),
  'group init u8': (k, { c8 }) => k.groupInit8(c8, 0, n, 0, list),
  'group init u8, extend u16': (k, { c8, c16 }) => {
    k.groupInit8(c8, 0, n, 0, list)
    k.groupExtend16(c16, 0, n, 0, 8, list)
  },
  'group by 1 s': (k, { o }) => k.groupTimesInit(o, n, 12_345, 1_000_000, list),
  'count by 8,000': (k, { g }) => k.groupCount(g, n, 0, states),
  'sum f64 by 8,000': (k, { v, g }) => k.groupSumF64(v, g, n, 0, states),
  'sum i64 by 8,000': (k, { id, g }) => k.groupSumI64(id, g, n, 0, states),
  'min and max f64 by 8,000': (k, { v, g }) => k.groupMinMaxF64(v, g, n, 0, states),
  'sum f64 by 8 groups, general': (k, { v, c8 }) => {
    k.groupInit8(c8, 0, n, 0, list)
    k.groupSumF64(v, list, n, 0, states)
  },
  'sum f64 by keys: 8': (k, { v, c8 }) => sumBy(k, v, [0, 8], [1, c8, 0]),
  'sum f64 by keys: 8 of a half': (k, { v, c8 }) => sumBy(k, v, [0, 8], [1, c8, 0], half),
  'sum f64 by keys: 8 x 1,000': (k, { v, c8, c16 }) => sumBy(k, v, [0, 8_192], [1, c8, 0, 2, c16, 1_024]),
  'sum f64 by keys: 1 s x 8': (k, { v, o, c8 }) =>
    sumBy(k, v, [secondOf(o) * 8, 13 * 8], [8, o, 0, 1, c8, 8]),
  'sum f64 by keys: 8,000': (k, { v, g }) => sumBy(k, v, [0, 8_192], [4, g, 0]),
  'number 1 M keys': (k, { id }) => {
    assert.equal(k.numberKeys(id, n, 0, table, KEY_CELLS - 1, used, list), n)
  },
}

/** Of the chunk whose time offsets stand there. */
const secondOf = (at: number): number => Math.floor(((at - offsets) / 4) * 180e-6)

/** Keys as kind, address and factor, one after the other. */
function sumBy(
  kernels: Kernels,
  values: number,
  [first, cells]: readonly [number, number],
  key: readonly number[],
  selection = 0,
): void {
  const u32 = new Uint32Array(memory.buffer)
  for (const [at, word] of key.entries())
    u32[(keys + Math.floor(at / 3) * SUM_KEY_BYTES) / 4 + (at % 3)] = word
  const f64 = new Float64Array(memory.buffer)
  f64[keys / 8 + 2] = 0
  f64[keys / 8 + 3] = 1_000_000
  kernels.sumF64ByKeys(values, keys, key.length / 3, n, selection, first, first + cells, work, sums)
}

/** CPU time of `chunks` chunks, as milliseconds for 20 M rows. */
function run(call: Call, kernels: Kernels, chunks: number): number {
  const u8 = new Uint8Array(memory.buffer)
  for (const [at, bytes] of [
    [state, 64],
    [states, 24 * 8_000],
    [used, 16],
    [work, sumWorkBytes(SUM_CELLS)],
    [sums, 24 * SUM_CELLS],
    [table, KEY_CELLS * KEY_CELL_BYTES],
  ] as const) {
    u8.fill(0, at, at + bytes)
  }
  const before = process.cpuUsage()
  for (let chunk = 0; chunk < chunks; chunk++) {
    const row = chunk * CHUNK
    call(kernels, {
      v: values + row * 8,
      id: ids + row * 8,
      o: offsets + row * 4,
      g: groups + row * 4,
      c16: codes16 + row * 2,
      c8: codes8 + row,
    })
  }
  const { user, system } = process.cpuUsage(before)
  return (((user + system) / 1_000) * CHUNKS) / chunks
}

fill()
const only = process.argv.slice(2)
for (const [row, call] of Object.entries(CALLS)) {
  if (only.length > 0 && !only.includes(row)) continue
  const [mine, theirs]: [number[], number[]] = [[], []]
  for (let turn = 0; turn < RUNS; turn++) {
    mine.push(run(call, ours, CHUNKS))
    theirs.push(run(call, peer, TWIN_CHUNKS))
  }
  const [a, b] = [Math.min(...mine), Math.min(...theirs)]
  console.log(
    JSON.stringify({
      bench: 'kernels',
      row,
      ours: Number(a.toFixed(1)),
      peer: Number(b.toFixed(1)),
      unit: 'CPU-ms/20M rows',
      ratio: Number((b / a).toFixed(1)),
    }),
  )
}
