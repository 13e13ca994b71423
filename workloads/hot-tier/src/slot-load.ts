/** Load is told as if the last minute were all there is: what was longer ago weighs less and less. */
export const SMOOTHING_MS = 60_000

/** Shares are of one core. */
export type LoadFigures = Readonly<{ rowsPerSecond: number; applyShare: number; scanShare: number }>

/**
 * How much work a slot has been of late: sums that fade by e in SMOOTHING_MS, so that a rate begins at 0 and no single block or
 * scan makes a slot look busy. Shares are of the thread's time, waits of other slots not counted. Cost: O(1), no allocation.
 */
export class SlotLoad {
  private readonly nowMs: () => number
  private atMs: number
  private rows = 0
  private applyMs = 0
  private scanMs = 0

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
    this.atMs = nowMs()
  }

  /** Notes a block that has just been folded in, and how long that took. */
  applied(rows: number, ms: number): void {
    this.fade()
    this.rows += rows
    this.applyMs += ms
  }

  /** Notes this slot's part of a scan that has just ended. */
  scanned(ms: number): void {
    this.fade()
    this.scanMs += ms
  }

  figures(): LoadFigures {
    this.fade()
    return {
      rowsPerSecond: (this.rows * 1_000) / SMOOTHING_MS,
      applyShare: this.applyMs / SMOOTHING_MS,
      scanShare: this.scanMs / SMOOTHING_MS,
    }
  }

  private fade(): void {
    const nowMs = this.nowMs()
    const kept = Math.exp((this.atMs - nowMs) / SMOOTHING_MS)
    this.atMs = nowMs
    this.rows *= kept
    this.applyMs *= kept
    this.scanMs *= kept
  }
}
