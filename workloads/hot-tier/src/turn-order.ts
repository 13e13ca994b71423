/** Of the time that blocks and reads take, blocks that wait get so much at least, whatever the reads. */
export const INGEST_PART = 0.3
/** A read of so many rows is short: kernels pass over them in about a turn. */
export const SHORT_ROWS_MAX = 1 << 20
/** Reads run ahead of blocks until these are owed so much. */
const OWED_MS_AHEAD = 8
/** Blocks are never owed more: a slice that was much too long must not make narrow queries wait for as long again. */
export const OWED_MS_MAX = 32
/** Of so many turns of reads one at least is that of the longest waiting, the others are those of the shortest. */
export const LONGEST_WAITING_EVERY = 4

/** Whose turn it is: the blocks', or that of the read at an index. */
export type Turn = 'blocks' | number

/**
 * Who works next on a thread. A short read goes before blocks, as long as these get their part of the time; longer ones and
 * blocks take turns. Among reads the one of the fewest rows goes first, so that a narrow query waits neither for full scans
 * nor for the blocks that came meanwhile; once others have had enough turns ahead of it, it is the longest waiting, so that short ones
 * without end do not keep a long one from its answer.
 * Laws: blocks that wait get INGEST_PART of the time less OWED_MS_MAX, while no slice takes longer than 50 ms; a read that k
 * others have waited longer than has one of the next LONGEST_WAITING_EVERY × (k + 1) turns of reads; who is next follows from
 * who waits and from what earlier turns took, and from nothing else.
 * Cost: O(reads that wait) a turn.
 */
export class TurnOrder {
  private owedMs = 0
  private isLongReadsTurn = false
  /** Turns that others have had since the longest waiting read had one. */
  private turnsAhead = 0

  /**
   * `reads`: the rows of each read that waits, in the order in which they came to wait. One block or read waits at least. It
   * stays so until a turn is told of.
   */
  next(blocks: number, reads: readonly number[]): Turn {
    if (reads.length === 0) return 'blocks'
    const fewest = indexOfFewest(reads)
    const mayReadsGoFirst = this.isLongReadsTurn || (reads[fewest] as number) <= SHORT_ROWS_MAX
    if (blocks > 0 && (this.owedMs >= OWED_MS_AHEAD || !mayReadsGoFirst)) return 'blocks'
    return this.turnsAhead + 1 >= LONGEST_WAITING_EVERY ? 0 : fewest
  }

  /** A read of so many rows has its turn; `read` is its index among those that waited. */
  readHasTurn(rows: number, read: number): void {
    this.turnsAhead = read === 0 ? 0 : this.turnsAhead + 1
    if (rows > SHORT_ROWS_MAX) this.isLongReadsTurn = false
  }

  /** Blocks took so long, and with it have had a whole turn or not yet. */
  blocksTook(ms: number, isWholeTurn: boolean): void {
    this.owedMs = Math.max(0, this.owedMs - ms)
    this.isLongReadsTurn ||= isWholeTurn
  }

  /** A slice took so long while blocks waited. */
  readTook(ms: number): void {
    this.owedMs = Math.min(OWED_MS_MAX, this.owedMs + (ms * INGEST_PART) / (1 - INGEST_PART))
  }
}

function indexOfFewest(reads: readonly number[]): number {
  let fewest = 0
  for (const [read, rows] of reads.entries()) if (rows < (reads[fewest] as number)) fewest = read
  return fewest
}
