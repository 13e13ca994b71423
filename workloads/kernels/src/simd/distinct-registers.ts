import { HYPERLOGLOG_P, HYPERLOGLOG_SPARSE_P } from '@truenow/contracts/wire/hyperloglog-v1.ts'
import { entryOfHash } from '../sketches/entry-of-hash.ts'
import { ValueHasher } from '../sketches/value-hasher.ts'
import { hasBit } from './bitmap-bits.ts'
import type { DistinctKernels, OptionalPointer, Pointer } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'
import { codesOf } from './select-codes.ts'

const PLACES = 4_096
const PROBES = 16
const BEYOND_BITS = HYPERLOGLOG_SPARSE_P - HYPERLOGLOG_P

/** Twin of assembly/distinct-registers.ts, which explains blocks and entries. */
export const distinctRegisters = (views: () => MemoryViews): DistinctKernels => ({
  raiseRegisters: (entries, groups, n, selection, blocks, rest) =>
    raise(views(), n, { selection, groups, blocks, rest }, (row) => views().u32[entries / 4 + row]!),
  raiseRegisters8: byCode(views, 1),
  raiseRegisters16: byCode(views, 2),
  raiseRegisters32: byCode(views, 4),
  entriesOfF64: (values, n, out) => {
    const { f64, u32 } = views()
    const hasher = new ValueHasher()
    for (let row = 0; row < n; row++) {
      hasher.ofNumber(f64[values / 8 + row]!)
      u32[out / 4 + row] = entryOfHash(hasher)
    }
  },
})

function byCode(views: () => MemoryViews, width: 1 | 2 | 4): DistinctKernels['raiseRegisters8'] {
  return (codes, groups, n, selection, entries, blocks, rest) => {
    const memory = views()
    const own = codesOf(memory, width).subarray(codes / width, codes / width + n)
    return raise(
      memory,
      n,
      { selection, groups, blocks, rest },
      (row) => memory.u32[entries / 4 + own[row]!]!,
    )
  }
}

type Pointers = Readonly<{
  selection: OptionalPointer
  groups: OptionalPointer
  blocks: Pointer
  rest: Pointer
}>

function raise(
  memory: MemoryViews,
  n: number,
  { selection, groups, blocks, rest }: Pointers,
  entryOf: (row: number) => number,
): number {
  const { u8, u32 } = memory
  let count = 0
  for (let row = 0; row < n; row++) {
    if (!hasBit(memory, selection, row)) continue
    const entry = entryOf(row)
    const block = u32[blocks / 4 + (groups === 0 ? 0 : u32[groups / 4 + row]!)]!
    const isDense = (block & 1) === 1
    if (entry !== 0 && isDense) {
      const at = block - 1 + (entry >>> 17)
      u8[at] = Math.max(u8[at]!, rankOf(entry))
    } else if (entry === 0 || block === 0 || !isRemembered(u32, block, entry)) {
      u32[rest / 4 + count++] = row
    }
  }
  return count
}

/** The register's value: the zeros behind the first 14 bits, and one. */
function rankOf(entry: number): number {
  const beyond = (entry >>> 6) & (2 ** BEYOND_BITS - 1)
  return beyond === 0 ? BEYOND_BITS + (entry & 63) : 1 + Math.clz32(beyond << (32 - BEYOND_BITS))
}

function isRemembered(u32: Uint32Array, block: Pointer, entry: number): boolean {
  const home = Math.imul(entry >>> 6, 0x9e3779b1) >>> 20
  for (let probe = 0; probe < PROBES; probe++) {
    const at = block / 4 + ((home + probe) % PLACES)
    if (u32[at] === entry) return true
    if (u32[at] === 0) {
      u32[at] = entry
      return false
    }
  }
  return false
}
