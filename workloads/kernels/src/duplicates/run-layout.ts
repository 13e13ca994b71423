import { crc32 } from 'node:zlib'

/*
 * A run of ids, a file that is written once. Numbers are little endian, as every machine that runs this has them.
 *   block   x blocks   4,096 bytes: 204 entries of 20 (four words of the id, sequence number - first), 8 bytes of zeros
 *                      from the last one on, then count u32, number of the block u32, CRC-32 of the 4,092 bytes before u32
 *   times   f64, counts u32, sums 2 x i32      for each span of one log time; the newest ids of the run
 *   index   u32        hash of each block's first entry
 *   filter  u32        two words a bucket, then the fingerprints that found no bucket
 *   footer             64 bytes, as FOOTER says, with a CRC-32 of what lies between blocks and footer, and one of itself
 * Entries are in the order of compareIds.
 */
export const BLOCK_BYTES = 4_096
export const BLOCK_WORDS = BLOCK_BYTES / 4
export const ENTRY_WORDS = 5
export const ENTRIES_A_BLOCK = 204
export const COUNT_WORD = 1_021
export const NUMBER_WORD = 1_022
export const CHECKSUM_WORD = 1_023
export const FOOTER_BYTES = 64
const MAGIC = 0x31_44_49_54 // "TID1"

export type RunFooter = Readonly<{
  /** Sequence numbers [first, next) of the log that the run stands for. */
  first: number
  next: number
  entries: number
  spans: number
  filterWords: number
  homeless: number
  saturated: boolean
  checksum: number
}>

/** Bytes of the parts between blocks and footer, in their order. */
export function tailSizes({ entries, spans, filterWords, homeless }: RunFooter) {
  const blocks = Math.ceil(entries / ENTRIES_A_BLOCK)
  return { blocks, times: spans * 8, counts: spans * 4, sums: spans * 8, index: blocks * 4, filter: filterWords * 4, homeless: homeless * 4 } // biome-ignore format: one line
}

export function encodeFooter(footer: RunFooter): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES)
  new Float64Array(bytes.buffer, 0, 2).set([footer.first, footer.next])
  const words = new Uint32Array(bytes.buffer)
  const { entries, spans, filterWords, homeless, saturated, checksum } = footer
  words.set([MAGIC, entries, spans, filterWords, homeless, Number(saturated), checksum], 4)
  words[15] = crc32(bytes.subarray(0, 60))
  return bytes
}

/** The footer and its own checksum, by which a manifest names the run; undefined when it is none. */
export function decodeFooter(bytes: Uint8Array): Readonly<{ footer: RunFooter; own: number }> | undefined {
  const copy = bytes.slice()
  const words = new Uint32Array(copy.buffer)
  const own = words[15]!
  if (copy.length !== FOOTER_BYTES || words[4] !== MAGIC || crc32(copy.subarray(0, 60)) !== own)
    return undefined
  const [first = 0, next = 0] = new Float64Array(copy.buffer, 0, 2)
  const [entries = 0, spans = 0, filterWords = 0, homeless = 0, saturated = 0, checksum = 0] =
    words.subarray(5)
  const footer = { first, next, entries, spans, filterWords, homeless, saturated: saturated === 1, checksum }
  return { footer, own }
}

/** What is wrong with a block as it was read; undefined when nothing is. */
export function blockProblem(bytes: Uint8Array, words: Uint32Array, number: number): string | undefined {
  if (crc32(bytes.subarray(0, BLOCK_BYTES - 4)) !== words[CHECKSUM_WORD])
    return `block ${number} does not have its checksum`
  if (words[NUMBER_WORD] !== number) return `block ${number} is another one`
  return undefined
}
