import { utf8Hash } from './utf8-hash'

/*
 * Texts of a block found in a pool, or added. The pool's table has linear probing (Knuth, TAOCP 3, 6.4, algorithm L) from the
 * first of four places on, which are one line of the caches: home is hash × (places / 4) / 2^32. Short texts lie in the table
 * itself, so most of them cost the memory that line.
 * Twin: src/simd/intern-texts.ts.
 *   place  := text of at most 11 bytes, then zeros | era u8 | code and kind
 *           | hash u32 | record u32 | zeros 3 bytes | era u8 | code and kind, of a longer text
 *   code and kind := code + kind * 2^28; kind 0: a free place, 1 to 12: length + 1, 13: a longer text
 *   record := code u32 | length u32 | bytes, padded with zeros to a multiple of 4
 *   pool   := codes given u32 | first free code + 1 u32 | next record u32 | places by code u32 | texts held u32
 *   place of a code that is free := (next free code + 1) * 2 + 1, so an odd number
 */
const SHORT_MOST: u32 = 11
const ERA_AT: usize = 11
const KIND_AT: usize = 12
const KIND_SHIFT: u32 = 28
const CODE_MASK: u32 = 0x0fff_ffff
const LONG: u32 = 13
const PLACE_BYTES: usize = 16
const LINE_BYTES: usize = 64
const RECORD_HEADER: usize = 8
const MISSING: u32 = 0xffff_ffff
/**
 * Entries that are worked on together: first the homes of each are compared without a branch, so that the memory answers many
 * at once; then what was not found there goes the long way. Source: group prefetching (Chen, Ailamaki, Gibbons, Mowry,
 * "Improving hash join performance through prefetching", TODS 32, 2007).
 */
const STEP: i32 = 128

@inline
function wordAt(words: usize, index: u32): u32 {
  return load<u32>(words + (<usize>index << 2))
}
@inline
function setWord(words: usize, index: u32, value: u32): void {
  store<u32>(words + (<usize>index << 2), value)
}
@inline
function startOf(ends: usize, entry: i32): u32 {
  return entry == 0 ? 0 : wordAt(ends, entry - 1)
}
@inline
function recordBytes(length: u32): u32 {
  return (<u32>RECORD_HEADER + length + 3) & ~3
}
@inline
function homeOf(table: usize, places: u32, hash: u32): usize {
  return table + (<usize>((<u64>hash * <u64>(places >> 2)) >> 32) << 6)
}
@inline
function after(place: usize, table: usize, places: u32): usize {
  const next = place + PLACE_BYTES
  return next == table + (<usize>places << 4) ? table : next
}
@inline
function kindOf(place: usize): u32 {
  return load<u32>(place, KIND_AT) >> KIND_SHIFT
}
@inline
function codeOf(place: usize): u32 {
  return load<u32>(place, KIND_AT) & CODE_MASK
}

/** A place as the text's would be, with code and era 0; of a longer text without its record. May read 15 bytes beyond the text. */
@inline
function likeness(text: usize, length: u32, hash: u32): v128 {
  if (length > SHORT_MOST) {
    return i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(0), 0, hash), 3, LONG << KIND_SHIFT)
  }
  const within = i8x16.lt_u(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>length))
  return i32x4.replace_lane(v128.and(v128.load(text), within), 3, (length + 1) << KIND_SHIFT)
}

/** What of a place tells texts apart: all of a short one, the hash of a longer one. */
@inline
function isLike(place: usize, like: v128, length: u32): bool {
  const shortTold = i32x4(-1, -1, 0x00ff_ffff, 0xf000_0000)
  const told = length > SHORT_MOST ? i32x4(-1, 0, 0, 0xf000_0000) : shortTold
  return !v128.any_true(v128.and(v128.xor(v128.load(place), like), told))
}

/** The place of a home's four that is like the text; 0 = none. Decides nothing by a branch. */
@inline
function likeAtHome(home: usize, like: v128, length: u32): u32 {
  let place: u32 = 0
  place = select<u32>(<u32>home, place, isLike(home, like, length))
  place = select<u32>(<u32>home + 16, place, isLike(home + 16, like, length))
  place = select<u32>(<u32>home + 32, place, isLike(home + 32, like, length))
  return select<u32>(<u32>home + 48, place, isLike(home + 48, like, length))
}

/** Of a place that is like the text. */
@inline
function isText(place: usize, text: usize, length: u32): bool {
  if (length <= SHORT_MOST) return true
  const record = <usize>load<u32>(place, 4)
  if (load<u32>(record, 4) != length) return false
  const held = record + RECORD_HEADER
  const last = <usize>length - 8
  for (let at: usize = 0; at < last; at += 8) if (load<u64>(held + at) != load<u64>(text + at)) return false
  return load<u64>(held + last) == load<u64>(text + last)
}

/** The text's place, or the free one where it belongs. */
function findPlace(table: usize, places: u32, hash: u32, text: usize, length: u32): usize {
  const like = likeness(text, length, hash)
  let place = homeOf(table, places, hash)
  while (kindOf(place) != 0) {
    if (isLike(place, like, length) && isText(place, text, length)) break
    place = after(place, table, places)
  }
  return place
}

export function hashTexts(texts: usize, ends: usize, n: i32, out: usize): u32 {
  let from: u32 = 0
  let records: u32 = 0
  for (let entry = 0; entry < n; entry++) {
    const end = wordAt(ends, entry)
    setWord(out, entry, utf8Hash(texts + <usize>from, end - from))
    if (end - from > SHORT_MOST) records += recordBytes(end - from)
    from = end
  }
  return records
}

export function findTexts(
  texts: usize, ends: usize, hashes: usize, n: i32, table: usize, places: u32, era: u32, out: usize,
): void {
  for (let first = 0; first < n; first += STEP) {
    const last = min(first + STEP, n)
    for (let entry = first; entry < last; entry++) load<u32>(homeOf(table, places, wordAt(hashes, entry)))
    let from = startOf(ends, first)
    for (let entry = first; entry < last; entry++) {
      const end = wordAt(ends, entry)
      const hash = wordAt(hashes, entry)
      const like = likeness(texts + <usize>from, end - from, hash)
      setWord(out, entry, likeAtHome(homeOf(table, places, hash), like, end - from))
      from = end
    }
    from = startOf(ends, first)
    for (let entry = first; entry < last; entry++) {
      const end = wordAt(ends, entry)
      const text = texts + <usize>from
      let place = <usize>wordAt(out, entry)
      if (place == 0 || !isText(place, text, end - from)) {
        place = findPlace(table, places, wordAt(hashes, entry), text, end - from)
      }
      from = end
      if (kindOf(place) == 0) {
        setWord(out, entry, MISSING)
        continue
      }
      if (load<u8>(place, ERA_AT) != <u8>era) store<u8>(place, <u8>era, ERA_AT)
      setWord(out, entry, codeOf(place))
    }
  }
}

export function translateTexts(
  texts: usize, ends: usize, hashes: usize, found: usize, entries: usize, rows: usize, n: i32, era: u32,
  table: usize, places: u32, pool: usize, out: usize,
): void {
  for (let index = 0; index < n; index++) {
    const entry = wordAt(entries, wordAt(rows, index))
    let code = wordAt(found, entry)
    if (code == MISSING) {
      const from = startOf(ends, <i32>entry)
      const length = wordAt(ends, entry) - from
      const hash = wordAt(hashes, entry)
      const place = findPlace(table, places, hash, texts + <usize>from, length)
      if (kindOf(place) == 0) addText(pool, place, texts + <usize>from, length, hash, era)
      code = codeOf(place)
      setWord(found, entry, code)
    }
    setWord(out, index, code)
  }
}

function addText(pool: usize, place: usize, text: usize, length: u32, hash: u32, era: u32): void {
  const placesByCode = <usize>load<u32>(pool, 12)
  const free = load<u32>(pool, 4)
  let code: u32
  if (free != 0) {
    code = free - 1
    store<u32>(pool, wordAt(placesByCode, code) >> 1, 4)
  } else {
    code = load<u32>(pool)
    store<u32>(pool, code + 1)
  }
  setWord(placesByCode, code, <u32>place)
  store<u32>(pool, load<u32>(pool, 16) + 1, 16)
  v128.store(place, likeness(text, length, hash))
  store<u8>(place, <u8>era, ERA_AT)
  store<u32>(place, load<u32>(place, KIND_AT) | code, KIND_AT)
  if (length > SHORT_MOST) store<u32>(place, addRecord(pool, text, length, code), 4)
}

function addRecord(pool: usize, text: usize, length: u32, code: u32): u32 {
  const record = load<u32>(pool, 8)
  const bytes = recordBytes(length)
  store<u32>(<usize>(record + bytes - 4), 0)
  store<u32>(<usize>record, code)
  store<u32>(<usize>record, length, 4)
  memory.copy(<usize>record + RECORD_HEADER, text, <usize>length)
  store<u32>(pool, record + bytes, 8)
  return record
}

@inline
function hashOf(place: usize): u32 {
  const kind = kindOf(place)
  return kind == LONG ? load<u32>(place) : utf8Hash(place, kind - 1)
}

/** Bit by place of a line: it is free. */
@inline
function freePlaces(line: usize): u32 {
  const first = i32x4.shuffle(v128.load(line), v128.load(line, 16), 2, 6, 3, 7)
  const second = i32x4.shuffle(v128.load(line, 32), v128.load(line, 48), 2, 6, 3, 7)
  const kinds = i32x4.shr_u(i64x2.shuffle(first, second, 1, 3), KIND_SHIFT)
  return <u32>i32x4.bitmask(i32x4.eq(kinds, i32x4.splat(0)))
}

/** Puts what a place holds into the first free one from its home on: a whole line is asked at once, or each place is a branch to guess. */
@inline
function settle(held: v128, hash: u32, table: usize, places: u32, placesByCode: usize): void {
  let line = homeOf(table, places, hash)
  let free = freePlaces(line)
  while (free == 0) {
    line += LINE_BYTES
    if (line == table + (<usize>places << 4)) line = table
    free = freePlaces(line)
  }
  const target = line + (<usize>ctz(free) << 4)
  v128.store(target, held)
  setWord(placesByCode, <u32>i32x4.extract_lane(held, 3) & CODE_MASK, <u32>target)
}

export function moveTexts(from: usize, fromPlaces: u32, to: usize, toPlaces: u32, pool: usize): void {
  const placesByCode = <usize>load<u32>(pool, 12)
  const end = from + (<usize>fromPlaces << 4)
  for (let place = from; place < end; place += PLACE_BYTES) {
    if (kindOf(place) != 0) settle(v128.load(place), hashOf(place), to, toPlaces, placesByCode)
  }
}

export function forgetTexts(table: usize, places: u32, below: u32, by: u32, pool: usize): void {
  const placesByCode = <usize>load<u32>(pool, 12)
  let held = load<u32>(pool, 16)
  let free = load<u32>(pool, 4)
  // From behind a free place on, a text's home never lies behind it: what is put back lands there or before.
  let first = table
  while (kindOf(first) != 0) first += PLACE_BYTES
  let place = first
  for (let step: u32 = 1; step < places; step++) {
    place = after(place, table, places)
    if (kindOf(place) == 0) continue
    const era = <u32>load<u8>(place, ERA_AT)
    if (era < below) {
      const code = codeOf(place)
      setWord(placesByCode, code, (free << 1) | 1)
      free = code + 1
      held--
      v128.store(place, i32x4.splat(0))
    } else {
      store<u8>(place, <u8>(era > by ? era - by : 0), ERA_AT)
      const text = v128.load(place)
      const hash = hashOf(place)
      v128.store(place, i32x4.splat(0))
      settle(text, hash, table, places, placesByCode)
    }
  }
  store<u32>(pool, held, 16)
  store<u32>(pool, free, 4)
}

export function packTexts(from: usize, end: usize, pool: usize): usize {
  const placesByCode = <usize>load<u32>(pool, 12)
  let to = from
  for (let record = from; record < end; ) {
    const bytes = <usize>recordBytes(load<u32>(record, 4))
    const place = wordAt(placesByCode, load<u32>(record))
    if ((place & 1) == 0) {
      memory.copy(to, record, bytes)
      store<u32>(<usize>place, <u32>to, 4)
      to += bytes
    }
    record += bytes
  }
  return to
}
