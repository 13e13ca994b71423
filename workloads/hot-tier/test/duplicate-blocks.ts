export const ROWS_A_BLOCK = 8_192

/** Rows of a log in which one in twenty, by chance, carries the id of some earlier row, and no other id comes twice. */
export function createDuplicateBlocks(seed: number) {
  /** Source: the finalizer of MurmurHash3 (Appleby). */
  const mix = (row: number, salt: number): number => {
    let mixed = Math.imul(row ^ salt ^ seed, 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    return (mixed ^ (mixed >>> 16)) >>> 0
  }
  const isDuplicate = (row: number): boolean => row > 0 && mix(row, 0x51ed270b) % 20 === 0
  /** An earlier row, anywhere in the log, that was the first with its id. */
  const originalOf = (row: number): number => {
    let original = Math.floor((mix(row, 0x2545f491) / 2 ** 32) * row)
    while (isDuplicate(original)) original -= 1
    return original
  }
  return {
    /** Fills `words` with the ids of a block, four words a row, and `duplicates` with 1 for each row that is one. */
    fill(block: number, words: Uint32Array, duplicates: Uint8Array): void {
      for (let at = 0; at < ROWS_A_BLOCK; at++) {
        const row = block * ROWS_A_BLOCK + at
        duplicates[at] = isDuplicate(row) ? 1 : 0
        const id = duplicates[at] === 1 ? originalOf(row) : row
        words[at * 4] = mix(id, 1)
        words[at * 4 + 1] = mix(id, 2)
        words[at * 4 + 2] = mix(id, 3)
        words[at * 4 + 3] = id
      }
    },
  }
}
