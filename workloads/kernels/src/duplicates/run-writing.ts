import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { CuckooFilter } from './cuckoo-filter.ts'
import { compareIds, fingerprintId } from './hash-id.ts'
import { IdRun } from './id-run.ts'
import type { LogTimeSpans } from './log-times.ts'
import type { RunFiles, RunFileWriter } from './run-files.ts'
import {
  BLOCK_BYTES,
  BLOCK_WORDS,
  CHECKSUM_WORD,
  COUNT_WORD,
  ENTRIES_A_BLOCK,
  ENTRY_WORDS,
  encodeFooter,
  NUMBER_WORD,
} from './run-layout.ts'
import type { SortedSource } from './sorted-source.ts'

const BLOCKS_A_CHUNK = 64

/**
 * Writes one run from sorted sources, a few entries at a time, so that nobody waits for all of it. Sources hold an id more than
 * once only where it was forgotten in between; of those the dead copies are left out, by `liveFrom` at the time.
 * Cost: O(entries × sources); memory: 256 KiB and the filter. Errors: the disk's, TN_ID_RUN_UNREADABLE; then `abort`.
 */
export class RunWriting {
  private readonly file: RunFileWriter
  private readonly sources: readonly SortedSource[]
  private readonly first: number
  private readonly next: number
  private readonly filter: CuckooFilter
  private readonly chunk = new Uint32Array(BLOCKS_A_CHUNK * BLOCK_WORDS)
  private readonly index: Uint32Array
  private entries = 0
  private blocks = 0
  private inBlock = 0

  constructor(
    files: RunFiles,
    sources: readonly SortedSource[],
    span: Readonly<{ first: number; next: number; entriesMax: number }>,
  ) {
    this.sources = sources
    this.first = span.first
    this.next = span.next
    assert(this.next - this.first < 2 ** 32, 'sequence numbers of a run are 32 bits apart')
    this.filter = CuckooFilter.forEntries(span.entriesMax)
    this.index = new Uint32Array(Math.ceil(span.entriesMax / ENTRIES_A_BLOCK))
    this.file = files.create()
  }

  get residentBytes(): number {
    const buffers = this.chunk.byteLength + this.index.byteLength + this.filter.residentBytes
    return this.sources.reduce((sum, source) => sum + source.residentBytes(), buffers)
  }

  /** Takes over up to `entries` from the sources; true when they are exhausted. */
  step(entries: number, liveFrom: number): boolean {
    for (let taken = 0; taken < entries; taken++) {
      const source = this.lowest()
      if (source === undefined) return true
      if (source.sequence >= liveFrom) this.put(source)
      source.advance()
    }
    return false
  }

  /** The run, durable. `spans` are those of its newest ids. */
  finish(spans: LogTimeSpans): IdRun {
    if (this.inBlock > 0) this.closeBlock()
    this.flush(this.blocks % BLOCKS_A_CHUNK)
    const { filter, entries, first, next } = this
    const index = this.index.slice(0, this.blocks)
    const homeless = Uint32Array.from(filter.homeless)
    let checksum = 0
    for (const part of [spans.times, spans.counts, spans.sums, index, filter.cells, homeless]) {
      const bytes = new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
      checksum = crc32(bytes, checksum)
      this.file.append(bytes)
    }
    const { saturated } = filter
    const footer = { first, next, entries, spans: spans.times.length, filterWords: filter.cells.length, homeless: homeless.length, saturated, checksum } // biome-ignore format: one line
    const footerBytes = encodeFooter(footer)
    this.file.append(footerBytes)
    const own = new Uint32Array(footerBytes.buffer)[15]!
    return new IdRun(this.file.commit(), footer, { checksum: own, index, filter })
  }

  abort(): void {
    this.file.abort()
  }

  private lowest(): SortedSource | undefined {
    let lowest: SortedSource | undefined
    for (const source of this.sources) {
      if (source.ended) continue
      if (lowest === undefined || compareSources(source, lowest) < 0) lowest = source
    }
    return lowest
  }

  private put({ words, at, hash, sequence }: SortedSource): void {
    const start = (this.blocks % BLOCKS_A_CHUNK) * BLOCK_WORDS
    const to = start + this.inBlock * ENTRY_WORDS
    if (this.inBlock === 0) this.index[this.blocks] = hash
    this.chunk[to] = words[at]!
    this.chunk[to + 1] = words[at + 1]!
    this.chunk[to + 2] = words[at + 2]!
    this.chunk[to + 3] = words[at + 3]!
    this.chunk[to + 4] = sequence - this.first
    this.filter.insert(hash, fingerprintId(words, at))
    this.entries += 1
    this.inBlock += 1
    if (this.inBlock === ENTRIES_A_BLOCK) this.closeBlock()
  }

  private closeBlock(): void {
    const start = (this.blocks % BLOCKS_A_CHUNK) * BLOCK_WORDS
    this.chunk.fill(0, start + this.inBlock * ENTRY_WORDS, start + COUNT_WORD)
    this.chunk[start + COUNT_WORD] = this.inBlock
    this.chunk[start + NUMBER_WORD] = this.blocks
    const bytes = new Uint8Array(this.chunk.buffer, start * 4, BLOCK_BYTES - 4)
    this.chunk[start + CHECKSUM_WORD] = crc32(bytes)
    this.blocks += 1
    this.inBlock = 0
    if (this.blocks % BLOCKS_A_CHUNK === 0) this.flush(BLOCKS_A_CHUNK)
  }

  private flush(blocks: number): void {
    if (blocks > 0) this.file.append(new Uint8Array(this.chunk.buffer, 0, blocks * BLOCK_BYTES))
  }
}

const compareSources = (left: SortedSource, right: SortedSource): number =>
  compareIds(left.words, left.at, left.hash, right.words, right.at, right.hash)
