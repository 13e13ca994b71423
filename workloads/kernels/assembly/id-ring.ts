/*
 * Ids of 128 bits in the order they came, in a ring, and an index over it: lines of 64 bytes, each of which tells 21 ids apart by a
 * byte of their hashes with two comparisons (F14: Bronson and Shi, "Open-sourcing F14", Engineering at Meta, 2019). An id has two
 * lines, and is entered in the one with more free places: then hardly a line is full where nine of ten places are taken, and stays
 * so while ids come and go (Azar, Broder, Karlin and Upfal, "Balanced allocations", SIAM J. Comput. 29, 1999). Two full lines send
 * the id on from the first, to the next one with a free place; lines count what they sent, so a search mostly ends with the two.
 * Twin: src/simd/id-ring.ts.
 *   ring := ids u32 | capacity u32 | lines u32 | line count u32 | slot of the oldest u32 | ids held u32 | sums u32 u32
 *   line := tag u8 × 21, 0 = free | ids sent on u8, 255 = as many or more, for ever | slot u16 × 21
 */
const LINE_BYTES: usize = 64
const SENT_AT: usize = 21
const SLOTS_AT: usize = 22
const SENT_MOST: u32 = 255
/** Tags of the second vector that are tags: what follows them is something else. */
const REST_MASK: u32 = 31

/** Twin of src/duplicates/hash-id.ts. */
@inline
function hashId(id: usize): u32 {
  let mixed = load<u32>(id) ^ (load<u32>(id, 4) * 0x85ebca6b)
  mixed = (mixed ^ (mixed >> 16) ^ load<u32>(id, 8)) * 0xc2b2ae35
  mixed = (mixed ^ (mixed >> 13) ^ load<u32>(id, 12)) * 0x9e3779b1
  return mixed ^ (mixed >> 16)
}
@inline
function tagOf(hash: u32): u32 {
  return max<u32>(hash & 0xff, 1)
}
@inline
function homeOf(lines: usize, count: u32, hash: u32): usize {
  return lines + (<usize>((<u64>hash * <u64>count) >> 32) << 6)
}
@inline
function after(line: usize, lines: usize, count: u32): usize {
  const next = line + LINE_BYTES
  return next == lines + (<usize>count << 6) ? lines : next
}
/** The other line of a hash; it may be the same one. */
@inline
function secondOf(lines: usize, count: u32, hash: u32): usize {
  return homeOf(lines, count, hash * 0x2c1b3c6d)
}
/** Bit by place of a line: its tag is this one. */
@inline
function placesWith(line: usize, tag: u32): u32 {
  const wanted = i8x16.splat(<i8>tag)
  const first = <u32>i8x16.bitmask(i8x16.eq(v128.load(line), wanted))
  const rest = <u32>i8x16.bitmask(i8x16.eq(v128.load(line, 16), wanted))
  return first | ((rest & REST_MASK) << 16)
}
/** The same for two lines: bits from 0 on, and from 32 on. */
@inline
function placesOfBoth(home: usize, second: usize, tag: u32): u64 {
  return <u64>placesWith(home, tag) | (<u64>placesWith(second, tag) << 32)
}
/** Line of the first of these places, and its number there. */
@inline
function lineOf(places: u64, home: usize, second: usize): usize {
  return select<usize>(second, home, <u32>places == 0)
}
@inline
function placeOf(places: u64): u32 {
  return <u32>ctz(places) & 31
}
@inline
function slotAt(line: usize, place: u32): u32 {
  return load<u16>(line + (<usize>place << 1), SLOTS_AT)
}
@inline
function isIdAt(slot: u32, ids: usize, wanted: v128): bool {
  return !v128.any_true(v128.xor(v128.load(ids + (<usize>slot << 4)), wanted))
}

/** Whether an id of this hash is held. */
@inline
function isHeld(id: usize, hash: u32, ids: usize, lines: usize, count: u32): bool {
  const wanted = v128.load(id)
  const home = homeOf(lines, count, hash)
  const second = secondOf(lines, count, hash)
  for (let places = placesOfBoth(home, second, tagOf(hash)); places != 0; places &= places - 1) {
    if (isIdAt(slotAt(lineOf(places, home, second), placeOf(places)), ids, wanted)) return true
  }
  return load<u8>(home, SENT_AT) != 0 && isSentOn(home, wanted, hash, ids, lines, count)
}

/** Whether it is held in a line behind its first one. */
function isSentOn(home: usize, wanted: v128, hash: u32, ids: usize, lines: usize, count: u32): bool {
  let line = home
  for (let step: u32 = 0; step < count && load<u8>(line, SENT_AT) != 0; step++) {
    line = after(line, lines, count)
    for (let places = placesWith(line, tagOf(hash)); places != 0; places &= places - 1) {
      if (isIdAt(slotAt(line, ctz(places)), ids, wanted)) return true
    }
  }
  return false
}

/** Enters the id of a slot, which is not held; there must be a free place. */
@inline
function enter(slot: u32, hash: u32, lines: usize, count: u32): void {
  const home = homeOf(lines, count, hash)
  const second = secondOf(lines, count, hash)
  const atHome = placesWith(home, 0)
  const atSecond = placesWith(second, 0)
  const isSecond = popcnt(atSecond) > popcnt(atHome)
  let line = select<usize>(second, home, isSecond)
  let places = select<u32>(atSecond, atHome, isSecond)
  while (places == 0) {
    const sent = <u32>load<u8>(line, SENT_AT)
    if (sent < SENT_MOST) store<u8>(line, <u8>(sent + 1), SENT_AT)
    line = after(line, lines, count)
    places = placesWith(line, 0)
  }
  const place = ctz(places)
  store<u8>(line + <usize>place, <u8>tagOf(hash))
  store<u16>(line + (<usize>place << 1), <u16>slot, SLOTS_AT)
}

export function admitIds(words: usize, verdicts: usize, from: i32, n: i32, mix: u32, ring: usize): i32 {
  const ids = <usize>load<u32>(ring)
  const capacity = load<u32>(ring, 4)
  const lines = <usize>load<u32>(ring, 8)
  const count = load<u32>(ring, 12)
  const start = load<u32>(ring, 16)
  let held = load<u32>(ring, 20)
  let first = load<u32>(ring, 24)
  let second = load<u32>(ring, 28)
  let row = from
  for (; row < n && held < capacity; row++) {
    if (load<u8>(verdicts + <usize>row) != 0) continue
    const id = words + (<usize>row << 4)
    const hash = hashId(id)
    if (isHeld(id, hash, ids, lines, count)) {
      store<u8>(verdicts + <usize>row, 1)
      continue
    }
    const ahead = start + held
    const slot = ahead < capacity ? ahead : ahead - capacity
    v128.store(ids + (<usize>slot << 4), v128.load(id))
    enter(slot, hash, lines, count)
    held++
    const mixed = hash ^ mix
    first += mixed
    second += (mixed ^ (mixed >> 15)) * 0x2c1b3c6d
  }
  store<u32>(ring, held, 20)
  store<u32>(ring, first, 24)
  store<u32>(ring, second, 28)
  return row
}

export function enterIds(ring: usize): void {
  const ids = <usize>load<u32>(ring)
  const capacity = load<u32>(ring, 4)
  const lines = <usize>load<u32>(ring, 8)
  const count = load<u32>(ring, 12)
  const held = load<u32>(ring, 20)
  let slot = load<u32>(ring, 16)
  for (let index: u32 = 0; index < held; index++) {
    enter(slot, hashId(ids + (<usize>slot << 4)), lines, count)
    slot = slot + 1 == capacity ? 0 : slot + 1
  }
}

export function forgetIds(gone: u32, ring: usize): void {
  const ids = <usize>load<u32>(ring)
  const capacity = load<u32>(ring, 4)
  const lines = <usize>load<u32>(ring, 8)
  const count = load<u32>(ring, 12)
  let slot = load<u32>(ring, 16)
  for (let index: u32 = 0; index < gone; index++) {
    leave(slot, hashId(ids + (<usize>slot << 4)), lines, count)
    slot = slot + 1 == capacity ? 0 : slot + 1
  }
  store<u32>(ring, slot, 16)
  store<u32>(ring, load<u32>(ring, 20) - gone, 20)
}

/** Frees the place of a slot. */
@inline
function leave(slot: u32, hash: u32, lines: usize, count: u32): void {
  const home = homeOf(lines, count, hash)
  const second = secondOf(lines, count, hash)
  for (let places = placesOfBoth(home, second, tagOf(hash)); places != 0; places &= places - 1) {
    const line = lineOf(places, home, second)
    if (slotAt(line, placeOf(places)) != slot) continue
    store<u8>(line + <usize>placeOf(places), 0)
    return
  }
  leaveBehind(home, slot, hash, lines, count)
}

/** The same in a line behind its first one, which takes it back from what the lines before have sent on. */
function leaveBehind(home: usize, slot: u32, hash: u32, lines: usize, count: u32): void {
  let line = home
  for (let step: u32 = 0; step < count; step++) {
    const sent = <u32>load<u8>(line, SENT_AT)
    if (sent < SENT_MOST) store<u8>(line, <u8>(sent - 1), SENT_AT)
    line = after(line, lines, count)
    for (let places = placesWith(line, tagOf(hash)); places != 0; places &= places - 1) {
      const place = ctz(places)
      if (slotAt(line, place) != slot) continue
      store<u8>(line + <usize>place, 0)
      return
    }
  }
}
