import assert from 'node:assert/strict'

/** truth <= count <= truth + errorMax, in weights as `halve` has left them. */
export type Frequent = Readonly<{ key: string; count: number; errorMax: number }>

/**
 * The most frequent keys of a stream, old ones weighing less and less where `halve` is called now and then. A key whose
 * weight is more than `total / capacity` is always among them.
 * Cost: O(1) for a key that is counted, O(capacity) for one that takes another's place. Memory: `capacity` keys.
 * Error: see Frequent; errorMax <= total / capacity.
 * Source: Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams", ICDT 2005.
 */
export class SpaceSaving {
  private readonly capacity: number
  private readonly counts = new Map<string, { count: number; errorMax: number }>()
  private weight = 0

  constructor(capacity: number) {
    assert(capacity >= 1, 'a summary of no keys')
    this.capacity = capacity
  }

  /** Weight of everything counted so far. */
  get total(): number {
    return this.weight
  }

  add(key: string): void {
    this.weight += 1
    const held = this.counts.get(key)
    if (held !== undefined) held.count += 1
    else if (this.counts.size < this.capacity) this.counts.set(key, { count: 1, errorMax: 0 })
    else this.replaceLeast(key)
  }

  /** What was counted until now weighs half from now on. */
  halve(): void {
    this.weight /= 2
    for (const held of this.counts.values()) {
      held.count /= 2
      held.errorMax /= 2
    }
  }

  /** At most `k` of them, most frequent first, ties by key. */
  top(k: number): readonly Frequent[] {
    return [...this.counts]
      .map(([key, held]) => ({ key, ...held }))
      .toSorted((a, b) => b.count - a.count || (a.key < b.key ? -1 : 1))
      .slice(0, k)
  }

  /** The newcomer may have been there before as often as the one that goes. */
  private replaceLeast(key: string): void {
    let least = ''
    let errorMax = Number.POSITIVE_INFINITY
    for (const [one, { count }] of this.counts) {
      if (count >= errorMax) continue
      least = one
      errorMax = count
    }
    this.counts.delete(least)
    this.counts.set(key, { count: errorMax + 1, errorMax })
  }
}
