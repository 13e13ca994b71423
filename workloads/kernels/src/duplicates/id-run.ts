import { crc32 } from 'node:zlib'
import { TrueNowError } from '@truenow/contracts/errors.ts'
import { CuckooFilter } from './cuckoo-filter.ts'
import { equalIds } from './hash-id.ts'
import type { LogTimeSpans } from './log-times.ts'
import type { RunFileReader } from './run-files.ts'
import {
  BLOCK_BYTES,
  blockProblem,
  COUNT_WORD,
  decodeFooter,
  ENTRY_WORDS,
  FOOTER_BYTES,
  type RunFooter,
  tailSizes,
} from './run-layout.ts'

/** One read of a block: bytes, and the same as words. */
export type BlockBuffer = Readonly<{ bytes: Uint8Array; words: Uint32Array }>
export function createBlockBuffer(blocks: number): BlockBuffer {
  const words = new Uint32Array((BLOCK_BYTES / 4) * blocks)
  return { bytes: new Uint8Array(words.buffer), words }
}

/**
 * Ids that no longer change, on the volume, sorted; in memory its filter and the first hash of each block, 2.1 bytes an id.
 * Cost: `find` reads one block of 4 KiB, and more only where 204 ids have one and the same hash. Errors:
 * TN_ID_RUN_UNREADABLE when the disk fails or a block is not what was written: the answer is then unknown, never guessed.
 */
export class IdRun {
  readonly name: string
  readonly bytes: number
  /** Checksum of the footer, which holds that of the rest but the blocks; those have their own. */
  readonly checksum: number
  readonly first: number
  readonly next: number
  readonly entries: number
  readonly filter: CuckooFilter
  readonly reader: RunFileReader
  private readonly index: Uint32Array

  constructor(
    reader: RunFileReader,
    footer: RunFooter,
    parts: Readonly<{ checksum: number; index: Uint32Array; filter: CuckooFilter }>,
  ) {
    this.reader = reader
    this.name = reader.name
    this.bytes = reader.size
    this.first = footer.first
    this.next = footer.next
    this.entries = footer.entries
    this.checksum = parts.checksum
    this.index = parts.index
    this.filter = parts.filter
  }

  get residentBytes(): number {
    return this.index.byteLength + this.filter.residentBytes
  }
  get blocks(): number {
    return this.index.length
  }

  /** Sequence number of the run's copy of the id; -1 = none. */
  find(words: Uint32Array, at: number, hash: number, buffer: BlockBuffer): number {
    for (let block = this.lastBlockFrom(hash); block >= 0; block--) {
      this.readBlocks(block, 1, buffer)
      const end = buffer.words[COUNT_WORD]! * ENTRY_WORDS
      for (let entry = 0; entry < end; entry += ENTRY_WORDS) {
        if (equalIds(buffer.words, entry, words, at)) return this.first + buffer.words[entry + 4]!
      }
      // Where a block begins with the very hash, its ids may begin in the block before.
      if (this.index[block]! < hash) return -1
    }
    return -1
  }

  /** Reads and checks `count` blocks. Errors: TN_ID_RUN_UNREADABLE. */
  readBlocks(block: number, count: number, { bytes, words }: BlockBuffer): void {
    try {
      this.reader.read(bytes.subarray(0, count * BLOCK_BYTES), block * BLOCK_BYTES)
    } catch (error) {
      throw unreadable(this.name, String(error), error)
    }
    for (let one = 0; one < count; one++) {
      const [from, to] = [one * BLOCK_BYTES, (one + 1) * BLOCK_BYTES]
      const problem = blockProblem(bytes.subarray(from, to), words.subarray(from / 4, to / 4), block + one)
      if (problem !== undefined) throw unreadable(this.name, problem)
    }
  }

  /** The last block whose first hash is at most `hash`; -1 = none. */
  private lastBlockFrom(hash: number): number {
    let [low, high] = [0, this.index.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.index[middle]! <= hash) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

/**
 * Opens a run that was committed before, and reads what stays in memory. `checksum` is what the manifest says of it. Errors:
 * TN_SNAPSHOT_CORRUPT for whatever is not the whole file that was written, but the blocks; the disk's.
 */
export function openRun(
  reader: RunFileReader,
  checksum: number,
): Readonly<{ run: IdRun; spans: LogTimeSpans }> {
  const footerBytes = new Uint8Array(FOOTER_BYTES)
  if (reader.size < FOOTER_BYTES) throw corrupt(reader.name, 'it is too short')
  reader.read(footerBytes, reader.size - FOOTER_BYTES)
  const found = decodeFooter(footerBytes)
  if (found === undefined || found.own !== checksum) throw corrupt(reader.name, 'its footer is another one')
  const { footer } = found
  const { blocks, ...sizes } = tailSizes(footer)
  const tailBytes = Object.values(sizes).reduce((sum, size) => sum + size, 0)
  if (reader.size !== blocks * BLOCK_BYTES + tailBytes + FOOTER_BYTES)
    throw corrupt(reader.name, `it has ${reader.size} bytes`)
  let at = blocks * BLOCK_BYTES
  let seen = 0
  /** The next part, in memory of its own: what is not kept goes. */
  const part = (size: number): ArrayBuffer => {
    const bytes = new Uint8Array(size)
    reader.read(bytes, at)
    at += size
    seen = crc32(bytes, seen)
    return bytes.buffer
  }
  const times = new Float64Array(part(sizes.times))
  const counts = new Uint32Array(part(sizes.counts))
  const sums = new Int32Array(part(sizes.sums))
  const index = new Uint32Array(part(sizes.index))
  const cells = new Uint32Array(part(sizes.filter))
  const homeless = [...new Uint32Array(part(sizes.homeless))]
  if (seen !== footer.checksum) throw corrupt(reader.name, 'index or filter do not have their checksum')
  const filter = new CuckooFilter(cells, homeless, footer.saturated)
  return { run: new IdRun(reader, footer, { checksum, index, filter }), spans: { times, counts, sums } }
}

function unreadable(run: string, why: string, cause?: unknown): TrueNowError {
  const message = `The run of ids ${run} cannot be read: ${why}. Nobody can say what is a duplicate until the slot has been replayed from its log.`
  return new TrueNowError('TN_ID_RUN_UNREADABLE', message, { cause, details: { run } })
}

function corrupt(run: string, why: string): TrueNowError {
  return new TrueNowError('TN_SNAPSHOT_CORRUPT', `Not a run of ids to open: ${run}: ${why}.`)
}
