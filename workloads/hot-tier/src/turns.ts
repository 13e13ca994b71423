import { SHORT_ROWS_MAX, TurnOrder } from './turn-order.ts'
import type { StartWork } from './work-time.ts'

/** Blocks, or a read, hold the thread for about so long before others get their turn. */
export const TURN_MS = 2

/** Who waits for a turn: a block, or a read of at most SHORT_ROWS_MAX rows or of more. */
export type TurnClass = 'block' | 'short' | 'long'

export type TurnsPorts = Readonly<{
  nowMs: () => number
  startWork: StartWork
  /** Asked before each turn for what was said to the thread; absent: nothing is said to it but by its event loop. */
  hear?: (() => void) | undefined
  /** Told of each turn how long it was waited for. */
  waited?: (by: TurnClass, ms: number) => void
}>
type Read = Readonly<{ rows: number; resume: () => void }>

/**
 * Blocks and reads of one thread, one after another, as turn-order.ts has it. Blocks that wait are applied for about a turn, one at least; a
 * read goes on for its slice. After either the event loop goes round, so that streams, new queries and aborts are heard of; and
 * `hear` is asked before each turn, for what was said while the loop was busy with streams would be heard a turn later.
 * Waiting are at most one block a slot and the queries that run.
 */
export class Turns {
  private readonly nowMs: () => number
  private readonly startWork: StartWork
  private readonly hear: () => void
  private readonly waited: (by: TurnClass, ms: number) => void
  private readonly order = new TurnOrder()
  private readonly blocks: Array<() => void> = []
  private readonly reads: Read[] = []
  private isDue = false
  private hasBegunOne = false
  /** What blocks have had of their turn. */
  private blockMs = 0

  constructor({ nowMs, startWork, hear = () => {}, waited = () => {} }: TurnsPorts) {
    this.nowMs = nowMs
    this.startWork = startWork
    this.hear = hear
    this.waited = waited
  }

  /** Applies one block when its turn comes. Errors: those of `work`. */
  apply<Result>(work: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      const sinceMs = this.nowMs()
      this.blocks.push(() => {
        this.waited('block', this.nowMs() - sinceMs)
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
      this.goRound()
    })
  }

  /**
   * Resolves when a read of `rows` rows in all may have its first slice: at once if the next turn would be its, and no other has
   * begun so since the event loop last went round. To wait for that, with a stream to read first, would be half of what a narrow query takes.
   */
  begin(rows: number): Promise<void> {
    const mine = this.reads.length
    const isNext = this.order.next(this.blocks.length, [...this.rowsOfReads(), rows]) === mine
    if (this.hasBegunOne || !isNext || rows > SHORT_ROWS_MAX) return this.goOn(rows)
    this.hasBegunOne = true
    this.order.readHasTurn(rows, mine)
    this.waited('short', 0)
    this.goRound()
    return Promise.resolve()
  }

  /** Resolves when it may go on for a further slice, never before the event loop has gone round. */
  goOn(rows: number): Promise<void> {
    const by = rows > SHORT_ROWS_MAX ? 'long' : 'short'
    const sinceMs = this.nowMs()
    return new Promise((resolve) => {
      const resume = () => {
        this.waited(by, this.nowMs() - sinceMs)
        resolve()
      }
      this.reads.push({ rows, resume })
      this.goRound()
    })
  }

  /** Tells what a read took of the thread since its turn began, or before it waited for one. */
  readTook(ms: number): void {
    if (this.blocks.length > 0) this.order.readTook(ms)
  }

  private goRound(): void {
    if (this.isDue) return
    this.isDue = true
    setImmediate(() => {
      this.hear()
      // A tick that a microtask asks for comes after all microtasks: what was heard has come to wait by then.
      queueMicrotask(() => process.nextTick(() => this.takeTurn()))
    })
  }

  private takeTurn(): void {
    this.isDue = false
    this.hasBegunOne = false
    if (this.blocks.length + this.reads.length === 0) return
    const turn = this.order.next(this.blocks.length, this.rowsOfReads())
    if (turn === 'blocks') this.applySome()
    else
      for (const { rows, resume } of this.reads.splice(turn, 1)) {
        this.order.readHasTurn(rows, turn)
        resume()
      }
    if (this.blocks.length + this.reads.length > 0) this.goRound()
  }

  private rowsOfReads(): number[] {
    return this.reads.map(({ rows }) => rows)
  }

  /** Of blocks one at least, and more while the next one, if it is as long as the last, ends nearer to the turn's end than this one did. */
  private applySome(): void {
    let lastMs = 0
    let isWholeTurn = false
    do {
      const took = this.startWork()
      this.blocks.shift()?.()
      lastMs = took()
      this.blockMs += lastMs
      isWholeTurn = this.blockMs + lastMs / 2 >= TURN_MS
      this.order.blocksTook(lastMs, isWholeTurn)
    } while (this.blocks.length > 0 && !isWholeTurn)
    // A stream has its next block only when this round is over: small blocks fill their turn in several.
    if (isWholeTurn) this.blockMs = 0
  }
}
