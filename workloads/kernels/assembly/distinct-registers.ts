import { selectedBits } from './bitmap-end'

/*
 * HyperLogLog by group. An entry is what hyperloglog-v1 keeps of a hash while it is sparse: its first 25 bits << 6 | rank,
 * never 0; it holds all that the dense form needs. A group has a block of 16 KiB: registers of a byte, or, while it is
 * sparse, the entries that went on already (open addressing: Knuth, TAOCP 3, 6.4, algorithm L), so that whoever keeps them
 * meets each about once. Twin: src/simd/distinct-registers.ts.
 */
const PLACES_MASK: u32 = 4_095
/** Places looked at before an entry goes on unremembered: a block that is nearly full must not cost a search a row. */
const PROBES: i32 = 16

export function raiseRegisters(
  entries: usize, groups: usize, n: i32, selection: usize, blocks: usize, rest: usize,
): i32 {
  let count = 0
  for (let word = 0; word < n; word += 64) {
    for (let bits = selectedBits(selection, word, n); bits != 0; bits &= bits - 1) {
      const row = word + <i32>ctz(bits)
      count += raise(load<u32>(entries + (<usize>row << 2)), groups, row, blocks, rest, count)
    }
  }
  return count
}

export function raiseRegisters8(
  codes: usize, groups: usize, n: i32, selection: usize, entries: usize, blocks: usize, rest: usize,
): i32 {
  return raiseByCode<u8>(codes, groups, n, selection, entries, blocks, rest)
}
export function raiseRegisters16(
  codes: usize, groups: usize, n: i32, selection: usize, entries: usize, blocks: usize, rest: usize,
): i32 {
  return raiseByCode<u16>(codes, groups, n, selection, entries, blocks, rest)
}
export function raiseRegisters32(
  codes: usize, groups: usize, n: i32, selection: usize, entries: usize, blocks: usize, rest: usize,
): i32 {
  return raiseByCode<u32>(codes, groups, n, selection, entries, blocks, rest)
}

@inline
function raiseByCode<T>(
  codes: usize, groups: usize, n: i32, selection: usize, entries: usize, blocks: usize, rest: usize,
): i32 {
  let count = 0
  if (selection == 0) {
    for (let row = 0; row < n; row++) count += raiseCode<T>(codes, groups, row, entries, blocks, rest, count)
    return count
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = load<u64>(selection + (word >> 3)); bits != 0; bits &= bits - 1) {
      count += raiseCode<T>(codes, groups, word + <i32>ctz(bits), entries, blocks, rest, count)
    }
  }
  return count
}

@inline
function raiseCode<T>(
  codes: usize, groups: usize, row: i32, entries: usize, blocks: usize, rest: usize, count: i32,
): i32 {
  const code = <usize>load<T>(codes + <usize>row * sizeof<T>())
  return raise(load<u32>(entries + (code << 2)), groups, row, blocks, rest, count)
}

/** 1 when the row went to the rest. */
@inline
function raise(entry: u32, groups: usize, row: i32, blocks: usize, rest: usize, count: i32): i32 {
  const group = groups != 0 ? load<u32>(groups + (<usize>row << 2)) : 0
  const block = <usize>load<u32>(blocks + (<usize>group << 2))
  if (entry != 0) {
    if ((block & 1) != 0) {
      const beyond = (entry >> 6) & 0x7ff
      const rank = beyond != 0 ? clz(beyond) - 20 : 11 + (entry & 63)
      const at = block - 1 + <usize>(entry >> 17)
      if (<u32>load<u8>(at) < rank) store<u8>(at, rank)
      return 0
    }
    if (block != 0 && isRemembered(block, entry)) return 0
  }
  store<u32>(rest + (<usize>count << 2), row)
  return 1
}

/** Whether a block has an entry; if not, it has it from now on, unless there is no room near. */
function isRemembered(block: usize, entry: u32): bool {
  let place = ((entry >> 6) * 0x9e3779b1) >> 20
  for (let probe = 0; probe < PROBES; probe++) {
    const at = block + (<usize>place << 2)
    const held = load<u32>(at)
    if (held == entry) return true
    if (held == 0) {
      store<u32>(at, entry)
      return false
    }
    place = (place + 1) & PLACES_MASK
  }
  return false
}

/** Entries of numbers, four at a time: MurmurHash3_x86_128 of 8 bytes as in src/sketches/murmur3.ts, -0 as 0. */
export function entriesOfF64(values: usize, n: i32, out: usize): void {
  const zero = f64x2.splat(0)
  const whole = n & ~3
  for (let row = 0; row < whole; row += 4) {
    const at = values + (<usize>row << 3)
    const a = f64x2.add(v128.load(at), zero)
    const b = f64x2.add(v128.load(at, 16), zero)
    const h1 = hashOf(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7), false)
    const indexes = i32x4.shr_u(h1, 7)
    const target = out + (<usize>row << 2)
    v128.store(target, i32x4.shl(indexes, 6))
    const bare = i32x4.eq(v128.and(indexes, i32x4.splat(0x7ff)), i32x4.splat(0))
    if (!v128.any_true(bare)) continue
    const h2 = hashOf(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7), true)
    storeEntry(target, i32x4.extract_lane(h1, 0), i32x4.extract_lane(h2, 0))
    storeEntry(target + 4, i32x4.extract_lane(h1, 1), i32x4.extract_lane(h2, 1))
    storeEntry(target + 8, i32x4.extract_lane(h1, 2), i32x4.extract_lane(h2, 2))
    storeEntry(target + 12, i32x4.extract_lane(h1, 3), i32x4.extract_lane(h2, 3))
  }
  for (let row = whole; row < n; row++) {
    const value = f64x2.add(f64x2.splat(load<f64>(values + (<usize>row << 3))), zero)
    const low = v128.shuffle<i32>(value, value, 0, 2, 0, 2)
    const high = v128.shuffle<i32>(value, value, 1, 3, 1, 3)
    const h1 = i32x4.extract_lane(hashOf(low, high, false), 0)
    storeEntry(out + (<usize>row << 2), h1, i32x4.extract_lane(hashOf(low, high, true), 0))
  }
}

@inline
function rotate(x: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(x, bits), i32x4.shr_u(x, 32 - bits))
}

/** The finalizer of MurmurHash3. */
@inline
function mix(x: v128): v128 {
  let h = i32x4.mul(v128.xor(x, i32x4.shr_u(x, 16)), i32x4.splat(0x85ebca6b))
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 13)), i32x4.splat(0xc2b2ae35))
  return v128.xor(h, i32x4.shr_u(h, 16))
}

/** The first 32 bits of the hash of each two words, or the next. */
@inline
function hashOf(first: v128, second: v128, next: bool): v128 {
  const eight = i32x4.splat(8)
  const c2 = i32x4.splat(0xab0e9789)
  const a = v128.xor(i32x4.mul(rotate(i32x4.mul(first, i32x4.splat(0x239b961b)), 15), c2), eight)
  const b = v128.xor(i32x4.mul(rotate(i32x4.mul(second, c2), 16), i32x4.splat(0x38b34ae5)), eight)
  const sum = i32x4.add(i32x4.add(a, b), i32x4.splat(16))
  const h2 = mix(i32x4.add(b, sum))
  // The third and the fourth word of the state are equal.
  const h1 = i32x4.add(i32x4.add(mix(sum), h2), i32x4.shl(mix(i32x4.add(eight, sum)), 1))
  return next ? i32x4.add(h2, h1) : h1
}

/** With a rank where the last 11 bits of the index are all zero. */
@inline
function storeEntry(at: usize, high: u32, low: u32): void {
  const index = high >> 7
  const rest = high << 25
  const rank = rest != 0 ? 1 + clz(rest) : 8 + clz(low)
  store<u32>(at, (index << 6) | select<u32>(rank, 0, (index & 0x7ff) == 0))
}
