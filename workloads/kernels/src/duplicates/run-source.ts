import { hashId } from './hash-id.ts'
import { createBlockBuffer, type IdRun } from './id-run.ts'
import { BLOCK_WORDS, COUNT_WORD, ENTRY_WORDS } from './run-layout.ts'
import type { SortedSource } from './sorted-source.ts'

/** Blocks a read: 64 KiB, so that a merge does not go to the disk for every 204 ids. */
const BLOCKS_A_READ = 16

/** A run from its first entry to its last. Errors: TN_ID_RUN_UNREADABLE. */
export class RunSource implements SortedSource {
  readonly words: Uint32Array
  at = -ENTRY_WORDS
  hash = 0
  sequence = 0
  ended = false
  private readonly run: IdRun
  private readonly buffer = createBlockBuffer(BLOCKS_A_READ)
  /** The next block to read, the one in the buffer that is walked through, and the end of its entries. */
  private block = 0
  private start = 0
  private end = 0

  constructor(run: IdRun) {
    this.run = run
    this.words = this.buffer.words
    this.start = -BLOCK_WORDS
    this.advance()
  }

  residentBytes(): number {
    return this.words.byteLength
  }

  advance(): void {
    this.at += ENTRY_WORDS
    if (this.at >= this.end) this.nextBlock()
    if (this.ended) return
    this.hash = hashId(this.words, this.at)
    this.sequence = this.run.first + this.words[this.at + 4]!
  }

  private nextBlock(): void {
    this.start += BLOCK_WORDS
    const loaded = this.block % BLOCKS_A_READ
    if (this.block === this.run.blocks) {
      this.ended = true
      return
    }
    if (loaded === 0) {
      const count = Math.min(BLOCKS_A_READ, this.run.blocks - this.block)
      this.run.readBlocks(this.block, count, this.buffer)
      this.start = 0
    }
    this.block += 1
    this.at = this.start
    this.end = this.start + this.words[this.start + COUNT_WORD]! * ENTRY_WORDS
  }
}
