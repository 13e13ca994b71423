/** The buckets of time that rows lie in: where each begins, how many rows it has, and by row which one it is. */
export type DealtRows = Readonly<{
  startsUs: readonly number[]
  counts: readonly number[]
  bucketOf: Uint16Array
}>

/** Deals the first `rowCount` event times, µs, to buckets of `spanUs`, in order of appearance. Cost: O(rowCount). */
export function dealRows(times: Float64Array, rowCount: number, spanUs: number): DealtRows {
  const bucketOf = new Uint16Array(rowCount) // A block has at most 65,536 rows, and no more buckets.
  const startsUs: number[] = []
  const counts: number[] = []
  const known = new Map<number, number>()
  let [startUs, endUs, bucket] = [0, 0, -1]
  for (let row = 0; row < rowCount; row++) {
    const timeUs = times[row]!
    if (timeUs < startUs || timeUs >= endUs || bucket < 0) {
      startUs = Math.floor(timeUs / spanUs) * spanUs
      endUs = startUs + spanUs
      bucket = known.get(startUs) ?? -1
      if (bucket < 0) {
        bucket = startsUs.push(startUs) - 1
        counts.push(0)
        known.set(startUs, bucket)
      }
    }
    bucketOf[row] = bucket
    counts[bucket]! += 1
  }
  return { startsUs, counts, bucketOf }
}
