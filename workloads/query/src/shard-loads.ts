import type { Clock } from '@truenow/chassis/clock.ts'

/** How a request to a shard ended. `slow`: a hedge overtook it. `dropped`: nobody needs its answer any more. */
export type AttemptOutcome = 'answered' | 'failed' | 'slow' | 'dropped'

/**
 * What this process has lately seen of each shard: how many requests are out, and whether one failed or was overtaken
 * within `suspectMs`. A suspected shard is asked only where no other replica is left, and so costs no second query.
 */
export function createShardLoads(clock: Clock, suspectMs: number) {
  const inFlight = new Map<number, number>()
  const suspectedAtMs = new Map<number, number>()
  let turn = 0
  return {
    /** Rises by one a call, so that equal choices are taken by turn. */
    nextTurn: (): number => turn++,
    inFlight: (shard: number): number => inFlight.get(shard) ?? 0,
    suspected(shard: number): boolean {
      const atMs = suspectedAtMs.get(shard)
      return atMs !== undefined && clock.monotonicMs() - atMs < suspectMs
    },
    begin(shard: number): (outcome: AttemptOutcome) => void {
      inFlight.set(shard, (inFlight.get(shard) ?? 0) + 1)
      return (outcome) => {
        const left = (inFlight.get(shard) ?? 1) - 1
        if (left === 0) inFlight.delete(shard)
        else inFlight.set(shard, left)
        if (outcome === 'answered') suspectedAtMs.delete(shard)
        if (outcome === 'failed' || outcome === 'slow') suspectedAtMs.set(shard, clock.monotonicMs())
      }
    },
    /** Forgets shards that the catalog no longer names. */
    keepOnly(shards: ReadonlySet<number>): void {
      for (const shard of suspectedAtMs.keys()) if (!shards.has(shard)) suspectedAtMs.delete(shard)
    },
  }
}
export type ShardLoads = ReturnType<typeof createShardLoads>
