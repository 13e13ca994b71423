/**
 * Signed 32-bit words from a seed, the same on every machine.
 * Source: sfc32 of Doty-Humphrey's PractRand; seeded by counter, first twelve words dropped.
 */
export function seededWords(seed: number): () => number {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, seed | 0, 1]
  const next = () => {
    const word = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + word) | 0
    return word
  }
  for (let warm = 0; warm < 12; warm++) next()
  return next
}

/** Doubles in (0, 1), never 0. */
export const seededUnit = (words: () => number): (() => number) => {
  return () => ((words() >>> 0) + 0.5) / 4_294_967_296
}
