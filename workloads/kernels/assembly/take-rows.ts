/* Rows of a block, by number, side by side into a chunk. Twin: src/simd/take-rows.ts. */

@inline
function rowAt(rows: usize, index: i32): usize {
  return <usize>load<u32>(rows + (<usize>index << 2))
}

export function takeBytes(source: usize, rows: usize, n: i32, out: usize): void {
  for (let index = 0; index < n; index++) store<u8>(out + <usize>index, load<u8>(source + rowAt(rows, index)))
}

export function takeDoubles(source: usize, rows: usize, n: i32, out: usize): void {
  for (let index = 0; index < n; index++) {
    store<u64>(out + (<usize>index << 3), load<u64>(source + (rowAt(rows, index) << 3)))
  }
}

export function takeIds(source: usize, rows: usize, n: i32, out: usize): void {
  for (let index = 0; index < n; index++) {
    v128.store(out + (<usize>index << 4), v128.load(source + (rowAt(rows, index) << 4)))
  }
}

export function takeOffsets(source: usize, rows: usize, n: i32, base: f64, out: usize): void {
  for (let index = 0; index < n; index++) {
    store<u32>(out + (<usize>index << 2), <u32>(load<f64>(source + (rowAt(rows, index) << 3)) - base))
  }
}

export function copyBytes(from: usize, to: usize, n: usize): void {
  memory.copy(to, from, n)
}

export function clearBytes(at: usize, n: usize): void {
  memory.fill(at, 0, n)
}

export function takeExtremes(source: usize, rows: usize, n: i32, state: usize): void {
  let low = load<f64>(state)
  let high = load<f64>(state, 8)
  for (let index = 0; index < n; index++) {
    const value = load<f64>(source + (rowAt(rows, index) << 3))
    low = value < low ? value : low
    high = value > high ? value : high
  }
  store<f64>(state, low)
  store<f64>(state, high, 8)
}

export function takeBits(source: usize, rows: usize, n: i32, at: i32, out: usize): void {
  for (let index = 0; index < n; index++) {
    const row = rowAt(rows, index)
    const bit: u32 = source == 0 ? 1 : (<u32>load<u8>(source + (row >> 3)) >> (<u32>row & 7)) & 1
    const place = out + <usize>((at + index) >> 3)
    store<u8>(place, <u8>(<u32>load<u8>(place) | (bit << (<u32>(at + index) & 7))))
  }
}

export function countBits(source: usize, rows: usize, n: i32): i32 {
  let count = 0
  for (let index = 0; index < n; index++) {
    const row = rowAt(rows, index)
    count += <i32>((<u32>load<u8>(source + (row >> 3)) >> (<u32>row & 7)) & 1)
  }
  return count
}

export function narrowCodes(codes: usize, n: i32, width: i32, out: usize): void {
  if (width == 1) {
    for (let index = 0; index < n; index++) store<u8>(out + <usize>index, load<u8>(codes + (<usize>index << 2)))
  } else if (width == 2) {
    for (let index = 0; index < n; index++) {
      store<u16>(out + (<usize>index << 1), load<u16>(codes + (<usize>index << 2)))
    }
  } else {
    for (let index = 0; index < n; index++) {
      store<u32>(out + (<usize>index << 2), load<u32>(codes + (<usize>index << 2)))
    }
  }
}
