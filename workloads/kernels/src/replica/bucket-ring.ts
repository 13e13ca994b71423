import type { RowBucket } from './row-bucket.ts'

/**
 * The buckets of a slot, by what they span; a retention has at most some sixty of them, so that a look through all costs less
 * than a key for each: a shard may hold a million buckets of a row or two.
 * Cost: O(buckets) a look, from the newest on. Memory: 8 bytes a bucket.
 */
export class BucketRing {
  private readonly held: RowBucket[] = []

  get size(): number {
    return this.held.length
  }

  get(startUs: number, endUs: number): RowBucket | undefined {
    for (let index = this.held.length - 1; index >= 0; index--) {
      const bucket = this.held[index]!
      if (bucket.startUs === startUs && bucket.endUs === endUs) return bucket
    }
    return undefined
  }

  /** In the order in which they were opened. */
  values(): readonly RowBucket[] {
    return this.held
  }

  add(bucket: RowBucket): void {
    this.held.push(bucket)
  }

  delete(bucket: RowBucket): void {
    const index = this.held.indexOf(bucket)
    if (index >= 0) this.held.splice(index, 1)
  }

  clear(): void {
    this.held.length = 0
  }

  /** Where the first of them ends; Infinity when there is none. */
  get oldestEndUs(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const { endUs } of this.held) if (endUs < oldest) oldest = endUs
    return oldest
  }
}
