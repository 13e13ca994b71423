import { compareIds, hashId } from './hash-id.ts'
import type { RecentIds } from './recent-ids.ts'
import type { SortedSource } from './sorted-source.ts'

/** Ids that are hashed and sorted together: what they touch stays in the nearest caches. */
const BATCH_IDS = 1_024
/** Steps of insertion sort a batch, a few an id; ids made to crowd go to the engine's sort instead. */
const STEPS_MAX = 32 * BATCH_IDS

/**
 * A set that takes no more ids, in sorted order: it walks through the table, where ids stand as their hashes rise, but for
 * those of one stretch of taken places among themselves. A batch ends between two stretches; sorting by insertion moves
 * each id past a handful of others. Cost: O(1) expected an id, no copy of the set.
 */
export class RecentSource implements SortedSource {
  readonly words: Uint32Array
  at = 0
  hash = 0
  sequence = 0
  ended = false
  private readonly recent: RecentIds
  private place = 0
  private positions = new Uint32Array(2 * BATCH_IDS)
  private hashes = new Uint32Array(2 * BATCH_IDS)
  private held = 0
  private given = 0

  constructor(recent: RecentIds) {
    this.recent = recent
    this.words = recent.ids
    this.advance()
  }

  residentBytes(): number {
    return this.positions.byteLength * 2
  }

  advance(): void {
    if (this.given === this.held) this.load()
    if (this.ended) return
    const position = this.positions[this.given]!
    this.hash = this.hashes[this.given]!
    this.at = position * 4
    this.sequence = this.recent.first + position
    this.given += 1
  }

  /** The next stretches of taken places, whole ones. */
  private load(): void {
    const { recent, words } = this
    const places = recent.index.length
    let held = 0
    for (; this.place < places; this.place++) {
      const position = recent.positionAt(this.place)
      if (position >= 0) {
        if (held === this.positions.length) this.widen()
        this.positions[held++] = position
      } else if (held >= BATCH_IDS) break
    }
    const { positions, hashes } = this
    for (let one = 0; one < held; one++) hashes[one] = hashId(words, positions[one]! * 4)
    this.held = held
    this.given = 0
    this.ended = held === 0
    if (!this.sortByInsertion()) this.sort()
  }

  /** False when it gave up, with the batch in some other order than before. */
  private sortByInsertion(): boolean {
    const { words, positions, hashes, held } = this
    let steps = 0
    for (let one = 1; one < held; one++) {
      const [position, hash] = [positions[one]!, hashes[one]!]
      let hole = one
      for (; hole > 0; hole--) {
        const [other, otherHash] = [positions[hole - 1]!, hashes[hole - 1]!]
        if (otherHash < hash) break
        if (otherHash === hash && compareIds(words, other * 4, hash, words, position * 4, hash) < 0) break
        positions[hole] = other
        hashes[hole] = otherHash
      }
      positions[hole] = position
      hashes[hole] = hash
      steps += one - hole
      if (steps > STEPS_MAX) return false
    }
    return true
  }

  private sort(): void {
    const { words, held } = this
    const sorted = this.positions
      .subarray(0, held)
      .sort((a, b) => compareIds(words, a * 4, hashId(words, a * 4), words, b * 4, hashId(words, b * 4)))
    for (let one = 0; one < held; one++) this.hashes[one] = hashId(words, sorted[one]! * 4)
  }

  private widen(): void {
    const [positions, hashes] = [this.positions, this.hashes]
    this.positions = new Uint32Array(positions.length * 2)
    this.hashes = new Uint32Array(positions.length * 2)
    this.positions.set(positions)
    this.hashes.set(hashes)
  }
}
