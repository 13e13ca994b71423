/** Spreads 32 bits over all of them, a bijection; the result is signed. Source: the finalizer of MurmurHash3 (Appleby). */
export function fmix32(bits: number): number {
  let hash = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
