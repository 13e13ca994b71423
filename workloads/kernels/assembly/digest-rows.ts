/* A digest of rows in their order, from a hash of each value. Twin: src/simd/digest-rows.ts. */
const NULL_HASH: u32 = 0x6e756c6c

@inline
function mixInto(mixed: usize, index: i32, validity: usize, row: usize, hash: u32): void {
  const valid = validity == 0 || ((<u32>load<u8>(validity + (row >> 3)) >> (<u32>row & 7)) & 1) == 1
  const at = mixed + (<usize>index << 2)
  store<u32>(at, load<u32>(at) * 31 + (valid ? hash : NULL_HASH))
}

export function mixDoubles(values: usize, validity: usize, rows: usize, n: i32, mixed: usize): void {
  for (let index = 0; index < n; index++) {
    const row = <usize>load<u32>(rows + (<usize>index << 2))
    const bits = load<u64>(values + (row << 3))
    mixInto(mixed, index, validity, row, (<u32>(bits >> 32) * 0x9e3779b1) ^ <u32>bits)
  }
}

export function mixBytes(values: usize, validity: usize, rows: usize, n: i32, mixed: usize): void {
  for (let index = 0; index < n; index++) {
    const row = <usize>load<u32>(rows + (<usize>index << 2))
    mixInto(mixed, index, validity, row, <u32>load<u8>(values + row) + 1)
  }
}

export function mixCodes(
  codes: usize, hashes: usize, validity: usize, rows: usize, n: i32, mixed: usize,
): void {
  for (let index = 0; index < n; index++) {
    const row = <usize>load<u32>(rows + (<usize>index << 2))
    const code = load<u32>(codes + (row << 2))
    mixInto(mixed, index, validity, row, load<u32>(hashes + (<usize>code << 2)))
  }
}

export function mixIds(ids: usize, rows: usize, n: i32, mixed: usize): void {
  for (let index = 0; index < n; index++) {
    const id = ids + (<usize>load<u32>(rows + (<usize>index << 2)) << 4)
    let hash = load<u32>(id) * 31 + load<u32>(id, 4)
    hash = (hash ^ (hash >> 15)) * 0x85ebca6b + load<u32>(id, 8)
    hash = (hash ^ (hash >> 13)) * 0xc2b2ae35 + load<u32>(id, 12)
    mixInto(mixed, index, 0, 0, hash)
  }
}

export function foldRows(mixed: usize, n: i32, digest: usize): void {
  let a = load<u32>(digest)
  let b = load<u32>(digest, 4)
  for (let index = 0; index < n; index++) {
    const row = load<u32>(mixed + (<usize>index << 2))
    a = (a ^ row) * 0x01000193
    b = (b ^ (row >> 7) ^ (row << 11)) * 0x85ebca6b + 1
  }
  store<u32>(digest, a)
  store<u32>(digest, b, 4)
}
