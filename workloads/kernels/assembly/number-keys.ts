import { selectedBits } from './bitmap-end'

/*
 * Numbers for 64-bit keys. Open addressing with linear probing (Knuth, TAOCP 3, 6.4, algorithm L); cells of 16 bytes:
 * key, number, full. In steps of 64 rows: first the home cell of each is compared without a branch, so that the memory
 * answers many rows at once; then what was not found there goes the long way. Twin: src/simd/number-keys.ts.
 */
const STEP: i32 = 64
const MISSING: u32 = 0xffff_ffff

/** The finalizer of MurmurHash3 over both halves, the upper one spread by 2^32 / φ. */
@inline
function hashKey(key: u64): u32 {
  let hash = <u32>key ^ (<u32>(key >> 32) * 0x9e3779b1)
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35
  return hash ^ (hash >> 16)
}

export function numberKeys(
  keys: usize, n: i32, selection: usize, table: usize, capacityMask: u32, used: usize, out: usize,
): i32 {
  const usedMax = ((capacityMask + 1) >> 2) * 3
  let count = load<u32>(used)
  for (let first = 0; first < n; first += STEP) {
    const rows = min(STEP, n - first)
    const bits = selectedBits(selection, first, n)
    if (bits == 0) continue
    for (let row = first; row < first + rows; row++) {
      const key = load<u64>(keys + (<usize>row << 3))
      const cell = table + (<usize>(hashKey(key) & capacityMask) << 4)
      const found = <i32>(load<u64>(cell) == key) & <i32>load<u32>(cell, 12)
      store<u32>(out + (<usize>row << 2), select<u32>(load<u32>(cell, 8), MISSING, found))
    }
    for (let rest = bits; rest != 0; rest &= rest - 1) {
      const row = first + <i32>ctz(rest)
      if (load<u32>(out + (<usize>row << 2)) != MISSING) continue
      const key = load<u64>(keys + (<usize>row << 3))
      let index = hashKey(key) & capacityMask
      let cell = table + (<usize>index << 4)
      while (load<u32>(cell, 12) != 0 && load<u64>(cell) != key) {
        index = (index + 1) & capacityMask
        cell = table + (<usize>index << 4)
      }
      if (load<u32>(cell, 12) == 0) {
        if (count >= usedMax) {
          store<u32>(used, count)
          return row
        }
        store<u64>(cell, key)
        store<u32>(cell, count, 8)
        store<u32>(cell, 1, 12)
        count++
      }
      store<u32>(out + (<usize>row << 2), load<u32>(cell, 8))
    }
  }
  store<u32>(used, count)
  return n
}

export function rehashKeys(oldTable: usize, oldMask: u32, newTable: usize, newMask: u32): void {
  for (let from: u32 = 0; from <= oldMask; from++) {
    const source = oldTable + (<usize>from << 4)
    if (load<u32>(source, 12) == 0) continue
    let index = hashKey(load<u64>(source)) & newMask
    let target = newTable + (<usize>index << 4)
    while (load<u32>(target, 12) != 0) {
      index = (index + 1) & newMask
      target = newTable + (<usize>index << 4)
    }
    v128.store(target, v128.load(source))
  }
}

export function pairKeys(low: usize, high: usize, n: i32, out: usize): void {
  let row = 0
  for (; row + 4 <= n; row += 4) {
    const a = v128.load(low + (<usize>row << 2))
    const b = v128.load(high + (<usize>row << 2))
    const at = out + (<usize>row << 3)
    v128.store(at, v128.shuffle<i32>(a, b, 0, 4, 1, 5))
    v128.store(at, v128.shuffle<i32>(a, b, 2, 6, 3, 7), 16)
  }
  for (; row < n; row++) {
    const key = <u64>load<u32>(low + (<usize>row << 2)) | (<u64>load<u32>(high + (<usize>row << 2)) << 32)
    store<u64>(out + (<usize>row << 3), key)
  }
}
