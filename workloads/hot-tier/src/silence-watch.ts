import type { Clock } from '@truenow/chassis/clock.ts'

/** Somebody who must speak: `heard` when it did. */
export type Watched = Readonly<{ heard: () => void; close: () => void }>
type Entry = { heardAtMs: number; readonly onSilence: () => void }

/** How often silences are looked for, within the time that one may last. */
const LOOKS_A_SILENCE = 6

/**
 * Calls those who have not been heard of for `silenceMs`, once each: one timer for all of them, while there are any. A shard
 * watches thousands of streams. Cost: O(watched) six times in `silenceMs`.
 */
export class SilenceWatch {
  private readonly clock: Clock
  private readonly silenceMs: number
  private readonly entries = new Set<Entry>()
  private timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, silenceMs: number) {
    this.clock = clock
    this.silenceMs = silenceMs
  }

  /** How many are watched. */
  get size(): number {
    return this.entries.size
  }

  watch(onSilence: () => void): Watched {
    const entry: Entry = { heardAtMs: this.clock.monotonicMs(), onSilence }
    this.entries.add(entry)
    this.timer ??= setInterval(() => this.look(), this.silenceMs / LOOKS_A_SILENCE)
    return {
      heard: () => {
        entry.heardAtMs = this.clock.monotonicMs()
      },
      close: () => this.leave(entry),
    }
  }

  private look(): void {
    const nowMs = this.clock.monotonicMs()
    for (const entry of [...this.entries]) {
      if (nowMs - entry.heardAtMs <= this.silenceMs) continue
      this.leave(entry)
      entry.onSilence()
    }
  }

  private leave(entry: Entry): void {
    this.entries.delete(entry)
    if (this.entries.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}
