/** Blocks, and after them a scan, hold the thread for about so long before the other gets its turn. */
export const TURN_MS = 2

/**
 * Who works next on a thread. Blocks that wait are applied for up to a turn, one at least; then one scan, the longest
 * waiting, goes on for its slice; then the event loop goes round, so that streams, new queries and aborts are heard of.
 * While blocks wait they so get half of the time or more, however many scans there are; and a scan waits for the others
 * once a slice. Waiting are at most one block a slot and the queries that run.
 */
export class Turns {
  private readonly nowMs: () => number
  private readonly blocks: Array<() => void> = []
  private readonly scans: Array<() => void> = []
  private isDue = false
  /** What blocks have had of their turn. */
  private blockMs = 0

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
  }

  /** Applies one block when its turn comes. Errors: those of `work`. */
  apply<Result>(work: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.blocks.push(() => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
      this.goRound()
    })
  }

  /** Resolves when a scan may go on for a slice. */
  scan(): Promise<void> {
    return new Promise((resolve) => {
      this.scans.push(resolve)
      this.goRound()
    })
  }

  private goRound(): void {
    if (this.isDue) return
    this.isDue = true
    setImmediate(() => this.takeTurn())
  }

  private takeTurn(): void {
    this.isDue = false
    const isBlockWaiting = this.blocks.length > 0
    while (this.blocks.length > 0 && this.blockMs < TURN_MS) {
      const startedMs = this.nowMs()
      this.blocks.shift()?.()
      this.blockMs += this.nowMs() - startedMs
    }
    // A stream has its next block only when this round is over: small blocks fill their turn in several.
    if (!isBlockWaiting || this.blockMs >= TURN_MS) {
      this.blockMs = 0
      this.scans.shift()?.()
    }
    if (this.blocks.length > 0 || this.scans.length > 0) this.goRound()
  }
}
