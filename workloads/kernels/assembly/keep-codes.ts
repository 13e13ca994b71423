/** Of the rows that a bitmap has, those with one code; 64 rows of which it has none are not read. Twin: src/simd/keep-codes.ts. */
export function keepCodeEqual8(codes: usize, n: i32, code: u32, kept: usize): void {
  keep<u8>(codes, n, code, kept)
}
export function keepCodeEqual16(codes: usize, n: i32, code: u32, kept: usize): void {
  keep<u16>(codes, n, code, kept)
}
export function keepCodeEqual32(codes: usize, n: i32, code: u32, kept: usize): void {
  keep<u32>(codes, n, code, kept)
}

@inline
function keep<T>(codes: usize, n: i32, code: u32, kept: usize): void {
  for (let word = 0; word < n; word += 64) {
    const bits = load<u64>(kept + (word >> 3))
    if (bits == 0) continue
    let equal: u64 = 0
    for (let left = bits; left != 0; left &= left - 1) {
      const bit = ctz(left)
      const row = <usize>word + <usize>bit
      equal |= <u64>(<u32>load<T>(codes + row * sizeof<T>()) == code) << bit
    }
    store<u64>(kept + (word >> 3), equal)
  }
}
