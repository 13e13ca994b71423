/** Snapshots have the thread for about so long at once, one slot at least: */
const TURN_MS = 20
/** and of all its time this share, for a bucket of a million rows takes a second. */
export const SHARE_MAX = 0.2
/** How often slots that are due are looked for between two snapshots of one. */
const LOOKS = 20

/** When a thread writes snapshots, and when it goes on with blocks and queries. Cost: O(1). */
export class SnapshotPace {
  private readonly snapshotMs: number
  private fromMs = Number.NEGATIVE_INFINITY

  /** `snapshotMs`: time between two snapshots of one slot. */
  constructor(snapshotMs: number) {
    this.snapshotMs = snapshotMs
  }

  mayBegin(nowMs: number): boolean {
    return nowMs >= this.fromMs
  }

  /** Whether another slot may be written in the turn that began at `beganMs`. */
  mayGoOn(beganMs: number, nowMs: number): boolean {
    return nowMs - beganMs < TURN_MS
  }

  /** The turn that began at `beganMs` is over: the next one waits until the others have had their time. */
  ended(beganMs: number, nowMs: number): void {
    this.fromMs = beganMs + Math.max((nowMs - beganMs) / SHARE_MAX, this.snapshotMs / LOOKS)
  }
}
