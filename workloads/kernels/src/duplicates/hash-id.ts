/** Mixes all four words: short ids differ in few bytes. Source: the finalizer of MurmurHash3 (Appleby), applied once. */
export function hashId(words: Uint32Array, at: number): number {
  let mixed = words[at]! ^ Math.imul(words[at + 1]!, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 16) ^ words[at + 2]!, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 13) ^ words[at + 3]!, 0x9e3779b1)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** Sixteen bits, never 0, that tell ids of one bucket of a filter apart: the words in another order, by other factors. */
export function fingerprintId(words: Uint32Array, at: number): number {
  let mixed = words[at + 3]! ^ Math.imul(words[at + 2]!, 0xcc9e2d51)
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ words[at + 1]!, 0x1b873593)
  mixed = Math.imul(mixed ^ (mixed >>> 14) ^ words[at]!, 0x85ebca6b)
  return (mixed ^ (mixed >>> 13)) >>> 16 || 1
}

/** The order of runs: by hash, which spreads any ids evenly, then by their words. Negative, zero or positive. */
export function compareIds(
  left: Uint32Array,
  leftAt: number,
  leftHash: number,
  right: Uint32Array,
  rightAt: number,
  rightHash: number,
): number {
  if (leftHash !== rightHash) return leftHash - rightHash
  for (let word = 0; word < 4; word++) {
    const difference = left[leftAt + word]! - right[rightAt + word]!
    if (difference !== 0) return difference
  }
  return 0
}

export function equalIds(left: Uint32Array, leftAt: number, right: Uint32Array, rightAt: number): boolean {
  return (
    left[leftAt] === right[rightAt] &&
    left[leftAt + 1] === right[rightAt + 1] &&
    left[leftAt + 2] === right[rightAt + 2] &&
    left[leftAt + 3] === right[rightAt + 3]
  )
}
