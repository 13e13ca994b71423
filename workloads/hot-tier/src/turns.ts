/** Blocks, and after them a scan, hold the thread for about so long before the other gets its turn. */
export const TURN_MS = 2

/**
 * Who works next on a thread. Blocks that wait are applied for about a turn, one at least; then one scan, the longest
 * waiting, goes on for its slice. After either the event loop goes round, so that streams, new queries and aborts are heard
 * of: a new query has its first slice then, and a short one needs no other.
 * While blocks wait they so get two fifths of the time or more, however many scans there are; and a scan waits for the others
 * once a slice. Waiting are at most one block a slot and the queries that run.
 */
export class Turns {
  private readonly nowMs: () => number
  private readonly blocks: Array<() => void> = []
  private readonly scans: Array<() => void> = []
  private isDue = false
  /** What blocks have had of their turn, and whether it is over. */
  private blockMs = 0
  private isScansTurn = false

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
    if (this.blocks.length > 0 && !this.isScansTurn) this.applySome()
    else {
      this.isScansTurn = false
      this.blockMs = 0
      this.scans.shift()?.()
    }
    if (this.blocks.length > 0 || this.scans.length > 0) this.goRound()
  }

  /** Of blocks one at least, and more while the next one, if it is as long as the last, ends nearer to the turn's end than this one did. */
  private applySome(): void {
    let lastMs = 0
    do {
      const startedMs = this.nowMs()
      this.blocks.shift()?.()
      lastMs = this.nowMs() - startedMs
      this.blockMs += lastMs
    } while (this.blocks.length > 0 && this.blockMs + lastMs / 2 < TURN_MS)
    // A stream has its next block only when this round is over: small blocks fill their turn in several.
    if (this.blockMs + lastMs / 2 < TURN_MS) return
    this.blockMs = 0
    this.isScansTurn = this.scans.length > 0
  }
}
