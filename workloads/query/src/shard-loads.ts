import type { Clock } from '@truenow/chassis/clock.ts'

/** How a request to a shard ended. `slow`: a hedge overtook it. `dropped`: nobody needs its answer any more. */
/** `leaving`: it answered, and will soon be gone. */
export type AttemptOutcome = 'answered' | 'leaving' | 'failed' | 'slow' | 'dropped'

/** How long a shard that said so takes to end and to come back; asked before that, it may have no address at all. */
const LEAVING_MS = 20_000

/**
 * What this process has lately seen of each shard: how many requests are out, and whether one failed or was overtaken
 * within `suspectMs`, or is leaving. A suspected shard is asked only where no other replica is left, and so costs no second query.
 */
export function createShardLoads(clock: Clock, suspectMs: number) {
  const inFlight = new Map<number, number>()
  const suspectedUntilMs = new Map<number, number>()
  let turn = 0
  return {
    /** Rises by one a call, so that equal choices are taken by turn. */
    nextTurn: (): number => turn++,
    inFlight: (shard: number): number => inFlight.get(shard) ?? 0,
    suspected(shard: number): boolean {
      const untilMs = suspectedUntilMs.get(shard)
      return untilMs !== undefined && clock.monotonicMs() < untilMs
    },
    begin(shard: number): (outcome: AttemptOutcome) => void {
      inFlight.set(shard, (inFlight.get(shard) ?? 0) + 1)
      return (outcome) => {
        const left = (inFlight.get(shard) ?? 1) - 1
        if (left === 0) inFlight.delete(shard)
        else inFlight.set(shard, left)
        const nowMs = clock.monotonicMs()
        if (outcome === 'answered') suspectedUntilMs.delete(shard)
        if (outcome === 'leaving') suspectedUntilMs.set(shard, nowMs + LEAVING_MS)
        if (outcome === 'failed' || outcome === 'slow')
          suspectedUntilMs.set(shard, Math.max(suspectedUntilMs.get(shard) ?? 0, nowMs + suspectMs))
      }
    },
    /** Forgets shards that the catalog no longer names. */
    keepOnly(shards: ReadonlySet<number>): void {
      for (const shard of suspectedUntilMs.keys()) if (!shards.has(shard)) suspectedUntilMs.delete(shard)
    },
  }
}
export type ShardLoads = ReturnType<typeof createShardLoads>
