import { hasBit } from './bitmap-bits.ts'
import type { CondenseKernels } from './kernels.ts'
import type { MemoryViews } from './memory-views.ts'

const BINS_BITS_MIN = 8
const BINS_BITS_MAX = 13
const BIN_BITS = 4
const SORTED_MAX = 32
const WIDTH_LEVELS = 2
const COS = 0.9999802608561371
const SIN = 0.006283143965558951

/** Twin of assembly/condense-values.ts, which explains the method; needs no scratch. */
export const condenseValues = (views: () => MemoryViews): CondenseKernels => ({
  groupValues: (values, groups, n, selection, groupCount, ends, out) => {
    const memory = views()
    const { f64, u32 } = memory
    const byGroup: number[][] = Array.from({ length: groupCount }, () => [])
    for (let row = 0; row < n; row++) {
      if (hasBit(memory, selection, row))
        byGroup[groups === 0 ? 0 : u32[groups / 4 + row]!]!.push(f64[values / 8 + row]!)
    }
    let end = 0
    for (const [group, own] of byGroup.entries()) {
      for (const value of own) f64[out / 8 + end++] = value
      u32[ends / 4 + group] = end
    }
  },
  condenseValues: (values, n, out) => {
    const { f64 } = views()
    const centroids = new Centroids(n)
    condense([...f64.subarray(values / 8, values / 8 + n)], 0, 0, centroids)
    f64[out / 8] = centroids.limit
    for (const [at, { mean, weight }] of centroids.list.entries())
      f64.set([mean, weight], out / 8 + 2 + 2 * at)
    return centroids.list.length
  },
})

/** The centroids of `total` values, from the least on. */
class Centroids {
  readonly total: number
  readonly list: Array<{ mean: number; weight: number }> = []
  /** Up to which rank the last one may reach. */
  limit = 0

  constructor(total: number) {
    this.total = total
  }

  /** How many values a centroid may hold that begins above `before`. */
  roomAt(before: number): number {
    const y = (2 * before) / this.total - 1
    if (y >= COS) return this.total - before
    const upper = (y * COS + Math.sqrt(1 - y * y) * SIN + 1) / 2
    return Math.trunc(this.total * upper - before)
  }

  append(mean: number, weight: number, before: number): void {
    const last = this.list.at(-1)
    if (last === undefined || before + weight > this.limit) {
      this.limit = before + this.roomAt(before)
      this.list.push({ mean, weight })
      return
    }
    last.weight += weight
    const share = weight / last.weight
    const apart = mean - last.mean
    const between =
      apart < Number.POSITIVE_INFINITY ? last.mean + apart * share : last.mean * (1 - share) + mean * share
    last.mean = Math.max(last.mean, Math.min(mean, between))
  }
}

/** Appends values, of which `before` of all are lower. */
function condense(values: readonly number[], before: number, level: number, out: Centroids): void {
  const n = values.length
  const least = values.reduce((a, b) => Math.min(a, b)) + 0
  const most = values.reduce((a, b) => Math.max(a, b)) + 0
  if (least === most) {
    for (let done = 0; done < n; ) {
      const weight = Math.min(n - done, Math.max(1, out.roomAt(before + done)))
      out.append(least + 0, weight, before + done)
      done += weight
    }
    return
  }
  const binOf = binning(least, most, n, level)
  const bins = new Map<number, number[]>()
  for (const value of values) {
    const bin = binOf(value)
    const own = bins.get(bin)
    if (own === undefined) bins.set(bin, [value])
    else own.push(value)
  }
  for (const [, own] of [...bins].toSorted(([a], [b]) => a - b)) {
    appendBin(own, before, level, out)
    before += own.length
  }
}

/** The bin of a value: of equal width at first, then by leading bits. */
function binning(least: number, most: number, n: number, level: number): (value: number) => number {
  const bits = Math.min(BINS_BITS_MAX, Math.max(BINS_BITS_MIN, 32 - BIN_BITS - Math.clz32(n - 1)))
  const scale = (2 ** bits - 1) / (most - least)
  if (level < WIDTH_LEVELS && scale > 0 && scale < Number.POSITIVE_INFINITY)
    return (value) => (value - least) * scale + 2 ** 52 - 2 ** 52 // The nearest integer, ties to even.
  const low = orderOf(least)
  const shift = BigInt(Math.max(0, (orderOf(most) - low).toString(2).length - bits))
  return (value) => Number((orderOf(value) - low) >> shift)
}

function appendBin(values: readonly number[], before: number, level: number, out: Centroids): void {
  const n = values.length
  const fits = (out.list.length > 0 && before + n <= out.limit) || n <= out.roomAt(before)
  if (n > 1 && fits) {
    const sum = values.reduce((total, value) => total + value, 0)
    const least = values.reduce((a, b) => Math.min(a, b)) + 0
    const most = values.reduce((a, b) => Math.max(a, b)) + 0
    out.append(Math.max(least, Math.min(most, sum / n)), n, before)
  } else if (n <= SORTED_MAX) {
    for (const [index, value] of values.toSorted((a, b) => a - b).entries())
      out.append(value + 0, 1, before + index)
  } else condense(values, before, level + 1, out)
}

const double = new Float64Array(1)
const bitsOfDouble = new BigInt64Array(double.buffer)

/** The bits of a number in the order of numbers, -0 as 0. */
function orderOf(value: number): bigint {
  double[0] = value + 0
  const bits = bitsOfDouble[0]!
  return BigInt.asUintN(64, bits < 0n ? ~bits : bits ^ -(2n ** 63n))
}
