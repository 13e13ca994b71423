/** The buckets of time that rows lie in: where each begins, how many rows it has, and by row which one it is. */
export type DealtRows = Readonly<{
  startsUs: readonly number[]
  counts: readonly number[]
  bucketOf: Uint16Array
}>

/**
 * Deals the first `rowCount` event times, µs, to buckets of `spanUs`, in order of appearance. Rows of one bucket mostly follow one
 * another, so a stretch of them is dealt at once. Cost: O(rowCount).
 */
export function dealRows(times: Float64Array, rowCount: number, spanUs: number): DealtRows {
  const bucketOf = new Uint16Array(rowCount) // A block has at most 65,536 rows, and no more buckets.
  const startsUs: number[] = []
  const counts: number[] = []
  const known = new Map<number, number>()
  for (let from = 0, row = 0; from < rowCount; from = row) {
    const startUs = Math.floor(times[from]! / spanUs) * spanUs
    const endUs = startUs + spanUs
    row = from + 1
    while (row < rowCount && times[row]! >= startUs && times[row]! < endUs) row += 1
    let bucket = known.get(startUs)
    if (bucket === undefined) {
      bucket = startsUs.push(startUs) - 1
      counts.push(0)
      known.set(startUs, bucket)
    }
    if (bucket > 0) bucketOf.fill(bucket, from, row)
    counts[bucket]! += row - from
  }
  return { startsUs, counts, bucketOf }
}
