import { selectedBits } from './bitmap-end'
import { minMaxF64 } from './min-max-f64'

/*
 * Many values as few centroids, for a t-digest. Values go into bins of equal width, a few to a bin; bins that
 * are still too full are divided again, from the third time on by their leading bits, which comes to an end however values
 * lie (a radix sort from the most significant digit: Knuth, TAOCP 3, 5.2.5). A bin that one centroid of the scale function
 * k1 may hold (Dunning and Ertl, arXiv:1902.04023) needs no order inside: it is its mean and its count. Neighbours become
 * one as long as k1 allows. Twin: src/simd/condense-values.ts.
 */
const BINS_BITS_MIN: i32 = 8
const BINS_BITS_MAX: i32 = 13
/** A bin for every 16 values: far fewer than a centroid in the middle holds of 32,768. */
const BIN_BITS: i32 = 4
/** Below this a sort by insertion is faster than bins. */
const SORTED_MAX: i32 = 32
/** Where things stand in the scratch: two copies of the values, the bin of each value, and counts for each level of bins. */
const COPY_BYTES: usize = 524_288
const BIN_NUMBERS_AT: usize = 1_048_576
const COUNTS_AT: usize = 1_179_648
const COUNTS_BYTES: usize = 32_768
/** Divisions into bins of equal width. */
const WIDTH_LEVELS: i32 = 2
/** Where centroids begin in the output; before them stands up to which rank the last one may reach. */
const CENTROIDS_AT: usize = 16
/** cos and sin of 2 pi / 1000: how far k1 moves in one centroid of a digest with delta 1000. */
const COS: f64 = 0.9999802608561371
const SIN: f64 = 0.006283143965558951

export function groupValues(
  values: usize, groups: usize, n: i32, selection: usize, groupCount: i32, ends: usize, out: usize,
): void {
  for (let group = 0; group < groupCount; group++) store<u32>(ends + (<usize>group << 2), 0)
  for (let word = 0; word < n; word += 64) {
    for (let bits = selectedBits(selection, word, n); bits != 0; bits &= bits - 1) {
      const at = endOf(groups, word + <i32>ctz(bits), ends)
      store<u32>(at, load<u32>(at) + 1)
    }
  }
  let start: u32 = 0
  for (let group = 0; group < groupCount; group++) {
    const at = ends + (<usize>group << 2)
    const count = load<u32>(at)
    store<u32>(at, start)
    start += count
  }
  for (let word = 0; word < n; word += 64) {
    for (let bits = selectedBits(selection, word, n); bits != 0; bits &= bits - 1) {
      const row = word + <i32>ctz(bits)
      const at = endOf(groups, row, ends)
      const place = load<u32>(at)
      store<u32>(at, place + 1)
      store<f64>(out + (<usize>place << 3), load<f64>(values + (<usize>row << 3)))
    }
  }
}

@inline
function endOf(groups: usize, row: i32, ends: usize): usize {
  const group = groups != 0 ? load<u32>(groups + (<usize>row << 2)) : 0
  return ends + (<usize>group << 2)
}

export function condenseValues(values: usize, n: i32, out: usize, scratch: usize): i32 {
  return condense(values, n, 0, n, 0, out, 0, scratch)
}

/** Appends n values, of which `before` of all `total` are lower, to `count` centroids; returns how many there are then. */
function condense(
  values: usize, n: i32, before: i32, total: i32, level: i32, out: usize, count: i32, scratch: usize,
): i32 {
  const ends = scratch + BIN_NUMBERS_AT // Nothing stands there before bins are numbered.
  store<f64>(ends, Infinity)
  store<f64>(ends, -Infinity, 8)
  minMaxF64(values, n, 0, ends)
  const least = load<f64>(ends)
  const most = load<f64>(ends, 8)
  if (least == most) return appendEqual(least, n, before, total, out, count)
  const low = orderOf(least)
  const bits = min(BINS_BITS_MAX, max(BINS_BITS_MIN, 32 - BIN_BITS - <i32>clz(n - 1)))
  const shift = <u64>max(0, 64 - <i32>clz(orderOf(most) - low) - bits)
  const bins = 1 << bits
  const scale = <f64>(bins - 1) / (most - least)
  const byWidth = level < WIDTH_LEVELS && scale > 0 && scale < Infinity
  const counts = scratch + COUNTS_AT + <usize>level * COUNTS_BYTES
  const numbers = scratch + BIN_NUMBERS_AT
  for (let bin = 0; bin < bins; bin += 4) v128.store(counts + (<usize>bin << 2), i64x2.splat(0))
  for (let index = 0; index < n; index++) {
    const value = load<f64>(values + (<usize>index << 3))
    const bin = byWidth ? roundOf((value - least) * scale) : <u32>((orderOf(value) - low) >> shift)
    store<u16>(numbers + (<usize>index << 1), <u16>bin)
    const at = counts + (<usize>bin << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
  let start: u32 = 0
  for (let bin = 0; bin < bins; bin++) {
    const at = counts + (<usize>bin << 2)
    const size = load<u32>(at)
    store<u32>(at, start)
    start += size
  }
  // Into the other copy, to where these values stand in theirs: what stands around them is still to come.
  const stand: usize = level == 0 ? 0 : values - scratch - <usize>((level - 1) & 1) * COPY_BYTES
  const sorted = scratch + <usize>(level & 1) * COPY_BYTES + stand
  for (let index = 0; index < n; index++) {
    const at = counts + (<usize>load<u16>(numbers + (<usize>index << 1)) << 2)
    const place = load<u32>(at)
    store<u32>(at, place + 1)
    store<f64>(sorted + (<usize>place << 3), load<f64>(values + (<usize>index << 3)))
  }
  let from: u32 = 0
  for (let bin = 0; bin < bins; bin++) {
    const end = load<u32>(counts + (<usize>bin << 2))
    if (end == from) continue
    count = appendBin(sorted + (<usize>from << 3), end - from, before + from, total, level, out, count, scratch)
    from = end
  }
  return count
}

function appendBin(
  values: usize, n: i32, before: i32, total: i32, level: i32, out: usize, count: i32, scratch: usize,
): i32 {
  if (n == 1) return append(load<f64>(values) + 0.0, 1, before, total, out, count)
  const fits = (count > 0 && <f64>(before + n) <= load<f64>(out)) || n <= roomAt(before, total)
  if (fits) return append(meanOf(values, n), n, before, total, out, count)
  if (n > SORTED_MAX) return condense(values, n, before, total, level + 1, out, count, scratch)
  sort(values, n)
  for (let index = 0; index < n; index++) {
    count = append(load<f64>(values + (<usize>index << 3)) + 0.0, 1, before + index, total, out, count)
  }
  return count
}

/** Their mean, never outside of them: a sum may round, or overflow. */
@inline
function meanOf(values: usize, n: i32): f64 {
  let sum: f64 = 0
  let least: f64 = Infinity
  let most: f64 = -Infinity
  for (let index = 0; index < n; index++) {
    const value = load<f64>(values + (<usize>index << 3)) + 0.0
    sum += value
    least = value < least ? value : least
    most = value > most ? value : most
  }
  return max(least, min(most, sum / <f64>n))
}

function appendEqual(value: f64, n: i32, before: i32, total: i32, out: usize, count: i32): i32 {
  while (n > 0) {
    const weight = min(n, max(1, roomAt(before, total)))
    count = append(value + 0.0, weight, before, total, out, count)
    before += weight
    n -= weight
  }
  return count
}

/** Adds to the last centroid while it may hold more, else appends. */
function append(mean: f64, weight: i32, before: i32, total: i32, out: usize, count: i32): i32 {
  const end = <f64>(before + weight)
  const at = out + CENTROIDS_AT + (<usize>count << 4)
  if (count > 0 && end <= load<f64>(out)) {
    const last = load<f64>(at - 16)
    const sum = load<f64>(at - 8) + <f64>weight
    const share = <f64>weight / sum
    const apart = mean - last
    const between = apart < Infinity ? last + apart * share : last * (1 - share) + mean * share
    store<f64>(at - 16, max(last, min(mean, between)))
    store<f64>(at - 8, sum)
    return count
  }
  store<f64>(out, <f64>(before + roomAt(before, total)))
  store<f64>(at, mean)
  store<f64>(at, <f64>weight, 8)
  return count + 1
}

/** How many values a centroid may hold that begins above `before` of `total`: until k1 has grown by 1. */
@inline
function roomAt(before: i32, total: i32): i32 {
  const y = (2 * <f64>before) / <f64>total - 1
  if (y >= COS) return total - before
  const upper = (y * COS + sqrt(1 - y * y) * SIN + 1) / 2
  return <i32>(<f64>total * upper - <f64>before)
}

/** The nearest integer of a number from 0 to 2^31: it stands in the low bits behind 2^52. */
@inline
function roundOf(value: f64): u32 {
  return <u32>reinterpret<u64>(value + 4503599627370496)
}

/** The bits of a number in the order of numbers, -0 as 0. */
@inline
function orderOf(value: f64): u64 {
  const bits = reinterpret<i64>(value + 0.0)
  return <u64>(bits ^ ((bits >> 63) | i64.MIN_VALUE))
}

function sort(values: usize, n: i32): void {
  for (let index = 1; index < n; index++) {
    const value = load<f64>(values + (<usize>index << 3))
    let at = index
    for (; at > 0 && load<f64>(values + (<usize>(at - 1) << 3)) > value; at--) {
      store<f64>(values + (<usize>at << 3), load<f64>(values + (<usize>(at - 1) << 3)))
    }
    store<f64>(values + (<usize>at << 3), value)
  }
}
