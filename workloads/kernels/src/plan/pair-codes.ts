import { fmix32 } from '../hashing/fmix32.ts'

const PLACES_MIN = 64

/**
 * Codes for pairs of 32-bit words, from 0 in order of appearance: two codes, or the halves of a double. Equal bits are equal.
 * Cost: O(1) expected a pair; memory: 16 to 32 bytes a pair. Source: open addressing with linear probing (Knuth, TAOCP 3,
 * 6.4, algorithm L), mixing by the finalizer of MurmurHash3.
 */
export class PairCodes {
  size = 0
  /** By code: its pair. */
  private words = new Uint32Array(PLACES_MIN)
  /** Code + 1 of each place; 0: free. At most half of them are taken. */
  private places = new Uint32Array(PLACES_MIN)

  /** The code of a pair of words, 0 to 2^32 - 1 each. */
  codeOf(low: number, high: number): number {
    const mask = this.places.length - 1
    let at = placeOf(low, high) & mask
    for (let held = this.places[at]!; held !== 0; held = this.places[at]!) {
      if (this.words[2 * held - 2] === low && this.words[2 * held - 1] === high) return held - 1
      at = (at + 1) & mask
    }
    const code = this.size++
    if (2 * code >= this.words.length) this.words = widened(this.words)
    this.words[2 * code] = low
    this.words[2 * code + 1] = high
    this.places[at] = code + 1
    if (2 * this.size > this.places.length) this.spread()
    return code
  }

  /** The pairs as doubles, by code. Typed arrays are little-endian on every platform Node runs on. */
  doubles(): Float64Array {
    return new Float64Array(this.words.buffer, 0, this.size)
  }

  private spread(): void {
    const places = new Uint32Array(this.places.length * 2)
    const mask = places.length - 1
    for (let code = 0; code < this.size; code++) {
      let at = placeOf(this.words[2 * code]!, this.words[2 * code + 1]!) & mask
      while (places[at] !== 0) at = (at + 1) & mask
      places[at] = code + 1
    }
    this.places = places
  }
}

function placeOf(low: number, high: number): number {
  return fmix32(low ^ Math.imul(high, 0x9e3779b1))
}

function widened(words: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const wider = new Uint32Array(words.length * 2)
  wider.set(words)
  return wider
}
