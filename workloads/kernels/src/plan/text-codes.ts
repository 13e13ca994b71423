import { Utf8Dictionary } from '@truenow/contracts/wire/dictionary.ts'
import { utf8Hash } from '../hashing/utf8-hash.ts'

const PLACES_MIN_LOG2 = 6
const BYTES_MIN = 1_024

/**
 * Codes for texts, from 0 in order of appearance; texts are kept as UTF-8, one behind the other.
 *
 *   place := hash u32 | code + 1 u32, 0 = free; its home are the upper bits of the hash, and at most half are taken
 *
 * So who brings texts in the order of their hashes, as text-pool.ts lays them out, walks through the table instead of jumping.
 * Cost: O(bytes) expected a text; memory: 20 to 40 bytes a text and its bytes once or twice. Source: open addressing with
 * linear probing (Knuth, TAOCP 3, 6.4, algorithm L).
 */
export class TextCodes {
  size = 0
  private bytes = new Uint8Array(BYTES_MIN)
  private ends = new Uint32Array(1 << PLACES_MIN_LOG2)
  private end = 0
  private places = new Uint32Array(2 << PLACES_MIN_LOG2)
  private shift = 32 - PLACES_MIN_LOG2

  /**
   * Room for so many more texts. Who brings many makes it first: in the order of their hashes they would else crowd at the
   * beginning of a table that is too small for all of them, and each would pass by those before it.
   */
  reserve(more: number): void {
    while (4 * (this.size + more) > this.places.length) this.spread()
  }

  /** The code of the text in bytes [from, end). */
  codeOf(source: Uint8Array, from: number, end: number): number {
    const hash = utf8Hash(source, from, end) >>> 0
    const { places } = this
    let at = 2 * (hash >>> this.shift)
    for (let held = places[at + 1]!; held !== 0; held = places[at + 1]!) {
      if (places[at] === hash && this.isAt(held - 1, source, from, end)) return held - 1
      at = at + 2 === places.length ? 0 : at + 2
    }
    const code = this.append(source, from, end)
    places[at] = hash
    places[at + 1] = code + 1
    this.reserve(0)
    return code
  }

  /** The texts by code, those of now. */
  dictionary(): Utf8Dictionary {
    return new Utf8Dictionary(this.bytes.subarray(0, this.end), this.ends.subarray(0, this.size))
  }

  private isAt(code: number, source: Uint8Array, from: number, end: number): boolean {
    const { bytes, ends } = this
    let at = code === 0 ? 0 : ends[code - 1]!
    if (ends[code]! - at !== end - from) return false
    for (let byte = from; byte < end; byte++) if (bytes[at++] !== source[byte]) return false
    return true
  }

  private append(source: Uint8Array, from: number, end: number): number {
    const code = this.size++
    const needed = this.end + end - from
    if (needed > this.bytes.length) {
      const wider = new Uint8Array(Math.max(needed, 2 * this.bytes.length))
      wider.set(this.bytes.subarray(0, this.end))
      this.bytes = wider
    }
    if (code === this.ends.length) {
      const wider = new Uint32Array(2 * code)
      wider.set(this.ends)
      this.ends = wider
    }
    const { bytes } = this
    // Most texts are shorter than what a call costs.
    for (let byte = from, at = this.end; byte < end; byte++, at++) bytes[at] = source[byte]!
    this.end = needed
    this.ends[code] = needed
    return code
  }

  private spread(): void {
    const old = this.places
    const places = new Uint32Array(2 * old.length)
    this.shift -= 1
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue
      let at = 2 * (old[from]! >>> this.shift)
      while (places[at + 1] !== 0) at = at + 2 === places.length ? 0 : at + 2
      places[at] = old[from]!
      places[at + 1] = old[from + 1]!
    }
    this.places = places
  }
}
