import { fmix32 } from '../hashing/fmix32.ts'

/**
 * A 64-bit hash as two signed words, written by whoever hashes, so that no row makes an object: signed, because V8 keeps
 * those as small integers and would allocate a number for what is above 2^31.
 */
export type Hash64 = { high: number; low: number }

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93
const rotate = (x: number, bits: number) => (x << bits) | (x >>> (32 - bits))

/**
 * The first 64 bits (h1, h2) of MurmurHash3_x86_128 of `bytes[0..length)` with the given seed, into `target`.
 * Chosen because it is well known, has published vectors and needs 32-bit multiplications only: a 64-bit one would need
 * bigints here. Not against an attacker: who knows it can make values collide.
 * Cost: O(length). Source: Appleby, SMHasher, MurmurHash3.cpp, MurmurHash3_x86_128.
 */
export function murmur3(bytes: Uint8Array, length: number, target: Hash64, seed = 0): void {
  let [h1, h2, h3, h4] = [seed | 0, seed | 0, seed | 0, seed | 0]
  const blocksEnd = length - (length & 15)
  const word = (at: number) =>
    bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  for (let at = 0; at < blocksEnd; at += 16) {
    h1 ^= Math.imul(rotate(Math.imul(word(at), C1), 15), C2)
    h1 = (Math.imul(rotate(h1, 19) + h2, 5) + 0x561ccd1b) | 0
    h2 ^= Math.imul(rotate(Math.imul(word(at + 4), C2), 16), C3)
    h2 = (Math.imul(rotate(h2, 17) + h3, 5) + 0x0bcaa747) | 0
    h3 ^= Math.imul(rotate(Math.imul(word(at + 8), C3), 17), C4)
    h3 = (Math.imul(rotate(h3, 15) + h4, 5) + 0x96cd1c35) | 0
    h4 ^= Math.imul(rotate(Math.imul(word(at + 12), C4), 18), C1)
    h4 = (Math.imul(rotate(h4, 13) + h1, 5) + 0x32ac3b17) | 0
  }
  let [k1, k2, k3, k4] = [0, 0, 0, 0]
  for (let at = blocksEnd; at < length; at++) {
    const [place, byte] = [at & 15, bytes[at]! << ((at & 3) * 8)]
    if (place < 4) k1 |= byte
    else if (place < 8) k2 |= byte
    else if (place < 12) k3 |= byte
    else k4 |= byte
  }
  h4 ^= Math.imul(rotate(Math.imul(k4, C4), 18), C1)
  h3 ^= Math.imul(rotate(Math.imul(k3, C3), 17), C4)
  h2 ^= Math.imul(rotate(Math.imul(k2, C2), 16), C3)
  h1 ^= Math.imul(rotate(Math.imul(k1, C1), 15), C2)
  finish(h1 ^ length, h2 ^ length, h3 ^ length, h4 ^ length, target)
}

/** As `murmur3` of the 8 bytes of two little-endian words, seed 0: the hash of a number. Cost: O(1). */
export function murmur3OfWords(first: number, second: number, target: Hash64): void {
  const h1 = Math.imul(rotate(Math.imul(first, C1), 15), C2)
  const h2 = Math.imul(rotate(Math.imul(second, C2), 16), C3)
  finish(h1 ^ 8, h2 ^ 8, 8, 8, target)
}

function finish(a: number, b: number, c: number, d: number, target: Hash64): void {
  let h1 = (a + b + c + d) | 0
  let [h2, h3, h4] = [(b + h1) | 0, (c + h1) | 0, (d + h1) | 0]
  h1 = fmix32(h1)
  h2 = fmix32(h2)
  h3 = fmix32(h3)
  h4 = fmix32(h4)
  h1 = (h1 + h2 + h3 + h4) | 0
  target.high = h1
  target.low = (h2 + h1) | 0
}
