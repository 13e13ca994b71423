/** MurmurHash3 x86 32 over bytes [from, end), seed 0; signed. Source: Appleby, MurmurHash3.cpp. Twin: assembly/utf8-hash.ts. */
export function utf8Hash(bytes: Uint8Array, from: number, end: number): number {
  let hash = 0
  let at = from
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    hash ^= scrambled(word)
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  let rest = 0
  for (let byte = end - 1; byte >= at; byte--) rest = (rest << 8) | bytes[byte]!
  hash ^= scrambled(rest) ^ (end - from)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

function scrambled(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}
