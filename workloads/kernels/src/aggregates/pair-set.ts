import { fmix32 } from '../hashing/fmix32.ts'

const CAPACITY_MIN = 64
const EMPTY = -1

/**
 * A set of pairs of small whole numbers (below 2^31). Cost: O(1) expected an addition; memory: 16 to 32 bytes a pair.
 * Source: open addressing with linear probing (Knuth, TAOCP 3, 6.4, algorithm L), mixing by the finalizer of MurmurHash3.
 */
export class PairSet {
  size = 0
  private firsts = new Int32Array(CAPACITY_MIN).fill(EMPTY)
  private seconds = new Int32Array(CAPACITY_MIN)

  /** False: it was there already. */
  add(first: number, second: number): boolean {
    const mask = this.firsts.length - 1
    let at = placeOf(first, second) & mask
    while (this.firsts[at] !== EMPTY) {
      if (this.firsts[at] === first && this.seconds[at] === second) return false
      at = (at + 1) & mask
    }
    this.firsts[at] = first
    this.seconds[at] = second
    this.size += 1
    if (this.size * 2 > this.firsts.length) this.grow()
    return true
  }

  /** In no order that means anything. */
  forEach(visit: (first: number, second: number) => void): void {
    for (let at = 0; at < this.firsts.length; at++) {
      if (this.firsts[at] !== EMPTY) visit(this.firsts[at]!, this.seconds[at]!)
    }
  }

  private grow(): void {
    const [firsts, seconds] = [this.firsts, this.seconds]
    this.firsts = new Int32Array(firsts.length * 2).fill(EMPTY)
    this.seconds = new Int32Array(firsts.length * 2)
    const mask = this.firsts.length - 1
    for (let from = 0; from < firsts.length; from++) {
      if (firsts[from] === EMPTY) continue
      let at = placeOf(firsts[from]!, seconds[from]!) & mask
      while (this.firsts[at] !== EMPTY) at = (at + 1) & mask
      this.firsts[at] = firsts[from]!
      this.seconds[at] = seconds[from]!
    }
  }
}

function placeOf(first: number, second: number): number {
  return fmix32(Math.imul(first, 0x9e3779b1) ^ second) >>> 0
}
