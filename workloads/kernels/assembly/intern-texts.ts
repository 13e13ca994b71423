import { utf8Hash } from './utf8-hash'

/*
 * The texts of a pool (src/columns/text-pool.ts). Linear probing (Knuth, TAOCP 3, 6.4) over places of four bytes: the
 * address of a record, a multiple of 8, with three bits of the hash below it; 0 = free. Twin: src/simd/intern-texts.ts.
 *   record := code u32 | end u32 (seconds) | length u32 | bytes, padded with zeros to a multiple of 8
 *   pool   := codes given u32 | first free code + 1 u32 | next record u32 | records by code u32 | texts held u32
 *   record of a code that is free := (next free code + 1) * 2 + 1, so an odd number
 */
const RECORD_HEADER: usize = 12
const TAG_MASK: u32 = 7
const TAG_SHIFT: u32 = 29
/**
 * Entries that are worked on together: first all their places are asked for, then all their records, and only then is
 * anything compared, so that the memory answers many at once and no branch waits for it. A load of which nothing comes is
 * such a question: it may trap, so no compiler drops it. Source: group prefetching (Chen, Ailamaki, Gibbons, Mowry,
 * "Improving hash join performance through prefetching", TODS 32, 2007).
 */
const STEP: i32 = 128

@inline
function startOf(ends: usize, entry: i32): u32 {
  return entry == 0 ? 0 : load<u32>(ends + (<usize>(entry - 1) << 2))
}

@inline
function recordBytes(length: u32): usize {
  return (RECORD_HEADER + <usize>length + 7) & ~7
}

@inline
function isText(record: usize, text: usize, length: u32): bool {
  if (load<u32>(record, 8) != length) return false
  const held = record + RECORD_HEADER
  const bytes = <usize>length
  if (bytes < 8) {
    let at: usize = 0
    if (bytes >= 4) {
      if (load<u32>(held) != load<u32>(text)) return false
      at = 4
    }
    for (; at < bytes; at++) if (load<u8>(held + at) != load<u8>(text + at)) return false
    return true
  }
  const last = bytes - 8
  for (let at: usize = 0; at < last; at += 8) if (load<u64>(held + at) != load<u64>(text + at)) return false
  return load<u64>(held + last) == load<u64>(text + last)
}

@inline
function homeOf(table: usize, mask: u32, hash: u32): usize {
  return table + (<usize>(hash & mask) << 2)
}

/** The first record that may be the text's, by its tag; 0 = there is none. */
@inline
function firstLike(table: usize, mask: u32, hash: u32): usize {
  let index = hash & mask
  let held = load<u32>(table + (<usize>index << 2))
  while (held != 0 && (held & TAG_MASK) != hash >> TAG_SHIFT) {
    index = (index + 1) & mask
    held = load<u32>(table + (<usize>index << 2))
  }
  return <usize>(held & ~TAG_MASK)
}

/** Place of the text, or of the free place where it belongs. */
@inline
function findPlace(table: usize, mask: u32, hash: u32, text: usize, length: u32): usize {
  let index = hash & mask
  let place = table + (<usize>index << 2)
  for (let held = load<u32>(place); held != 0; held = load<u32>(place)) {
    if ((held & TAG_MASK) == hash >> TAG_SHIFT && isText(<usize>(held & ~TAG_MASK), text, length)) break
    index = (index + 1) & mask
    place = table + (<usize>index << 2)
  }
  return place
}

export function hashTexts(texts: usize, ends: usize, n: i32, out: usize): void {
  let from: u32 = 0
  for (let entry = 0; entry < n; entry++) {
    const end = load<u32>(ends + (<usize>entry << 2))
    store<u32>(out + (<usize>entry << 2), utf8Hash(texts + <usize>from, end - from))
    from = end
  }
}

export function findTexts(
  texts: usize, ends: usize, hashes: usize, n: i32, table: usize, mask: u32, out: usize,
): void {
  for (let first = 0; first < n; first += STEP) {
    const last = min(first + STEP, n)
    for (let entry = first; entry < last; entry++) {
      load<u32>(homeOf(table, mask, load<u32>(hashes + (<usize>entry << 2))))
    }
    for (let entry = first; entry < last; entry++) {
      const hash = load<u32>(hashes + (<usize>entry << 2))
      const record = firstLike(table, mask, hash)
      store<u32>(out + (<usize>entry << 2), <u32>record)
      load<u32>(record, 8)
      load<u32>(record, 20) // Many a record ends in the next cache line.
    }
    for (let entry = first; entry < last; entry++) {
      const record = <usize>load<u32>(out + (<usize>entry << 2))
      if (record == 0) continue
      const from = startOf(ends, entry)
      const length = load<u32>(ends + (<usize>entry << 2)) - from
      if (isText(record, texts + <usize>from, length)) continue
      const hash = load<u32>(hashes + (<usize>entry << 2))
      const place = findPlace(table, mask, hash, texts + <usize>from, length)
      store<u32>(out + (<usize>entry << 2), load<u32>(place) & ~TAG_MASK)
    }
  }
}

export function translateTexts(
  texts: usize, ends: usize, hashes: usize, records: usize, codes: usize, rows: usize, n: i32, end: u32,
  table: usize, mask: u32, pool: usize, out: usize,
): void {
  for (let index = 0; index < n; index++) {
    const row = load<u32>(rows + (<usize>index << 2))
    const entry = load<u32>(codes + (<usize>row << 2))
    let record = load<u32>(records + (<usize>entry << 2))
    if (record == 0) {
      const from = startOf(ends, <i32>entry)
      const length = load<u32>(ends + (<usize>entry << 2)) - from
      const hash = load<u32>(hashes + (<usize>entry << 2))
      const place = findPlace(table, mask, hash, texts + <usize>from, length)
      record = load<u32>(place) & ~TAG_MASK
      if (record == 0) {
        record = addText(pool, texts + <usize>from, length, end)
        store<u32>(place, record | (hash >> TAG_SHIFT))
      }
      store<u32>(records + (<usize>entry << 2), record)
    }
    if (load<u32>(<usize>record, 4) < end) store<u32>(<usize>record, end, 4)
    store<u32>(out + (<usize>index << 2), load<u32>(<usize>record))
  }
}

function addText(pool: usize, text: usize, length: u32, end: u32): u32 {
  const record = load<u32>(pool, 8)
  const places = <usize>load<u32>(pool, 12)
  const free = load<u32>(pool, 4)
  let code: u32
  if (free != 0) {
    code = free - 1
    store<u32>(pool, load<u32>(places + (<usize>code << 2)) >> 1, 4)
  } else {
    code = load<u32>(pool)
    store<u32>(pool, code + 1)
  }
  store<u32>(places + (<usize>code << 2), record)
  store<u32>(pool, load<u32>(pool, 16) + 1, 16)
  const bytes = recordBytes(length)
  store<u64>(<usize>record + bytes - 8, 0)
  store<u32>(<usize>record, code)
  store<u32>(<usize>record, end, 4)
  store<u32>(<usize>record, length, 8)
  const held = <usize>record + RECORD_HEADER
  let at: usize = 0
  for (; at + 4 <= <usize>length; at += 4) store<u32>(held + at, load<u32>(text + at))
  for (; at < <usize>length; at++) store<u8>(held + at, load<u8>(text + at))
  store<u32>(pool, record + <u32>bytes, 8)
  return record
}

export function indexTexts(from: usize, end: usize, table: usize, mask: u32): void {
  let ahead = from
  for (let record = from; record < end; ) {
    for (let step = 0; step < STEP && ahead < end; step++) {
      const length = load<u32>(ahead, 8)
      load<u32>(homeOf(table, mask, utf8Hash(ahead + RECORD_HEADER, length)))
      ahead += recordBytes(length)
    }
    while (record < ahead) {
      const length = load<u32>(record, 8)
      const hash = utf8Hash(record + RECORD_HEADER, length)
      let index = hash & mask
      while (load<u32>(table + (<usize>index << 2)) != 0) index = (index + 1) & mask
      store<u32>(table + (<usize>index << 2), <u32>record | (hash >> TAG_SHIFT))
      record += recordBytes(length)
    }
  }
}

export function sweepTexts(from: usize, end: usize, oldest: u32, pool: usize): usize {
  const places = <usize>load<u32>(pool, 12)
  let held = load<u32>(pool, 16)
  let free = load<u32>(pool, 4)
  let to = from
  for (let record = from; record < end; ) {
    const code = load<u32>(record)
    const bytes = recordBytes(load<u32>(record, 8))
    const place = places + (<usize>code << 2)
    if (load<u32>(record, 4) < oldest) {
      store<u32>(place, (free << 1) | 1)
      free = code + 1
      held--
    } else {
      if (to != record) {
        memory.copy(to, record, bytes)
        store<u32>(place, <u32>to)
      }
      to += bytes
    }
    record += bytes
  }
  store<u32>(pool, held, 16)
  store<u32>(pool, free, 4)
  return to
}
