import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'

/** After so long without a look nobody knows what was said meanwhile, and the count begins anew. */
export const LOOKS_APART_MS_MAX = 30_000
/** Clusters that are watched; of more the longest unseen is forgotten, and counted anew. */
export const WATCHED_CLUSTERS_MAX = 10_000

export type SilenceWatch = Readonly<{
  /** One look at a cluster. Answers the shards that have been silent in every look for at least `lostMs`. */
  look: (clusterUid: string, placement: GetPlacementResponse, lostMs: number) => ReadonlySet<number>
  /** What the last look answered; nothing once that is too long ago. */
  lost: (clusterUid: string) => ReadonlySet<number>
}>

/**
 * Which shards are lost, as far as silence can tell. What the control plane missed while it was away must not count, so
 * silence is measured here, over looks in which it answers and at least one shard reports. `nowMs` is monotonic.
 */
export function createSilenceWatch(nowMs: () => number): SilenceWatch {
  type Look = Readonly<{ lookedMs: number; since: ReadonlyMap<number, number>; lost: ReadonlySet<number> }>
  const clusters = new Map<string, Look>()
  return {
    look: (clusterUid, { catalog, silentShards }, lostMs) => {
      const now = nowMs()
      const before = clusters.get(clusterUid)
      const goesOn = before !== undefined && now - before.lookedMs <= LOOKS_APART_MS_MAX
      const somebodyReports = (catalog?.shards ?? []).some(({ shard }) => !silentShards.includes(shard))
      const since = new Map<number, number>()
      if (somebodyReports)
        for (const shard of silentShards)
          since.set(shard, (goesOn ? before.since.get(shard) : undefined) ?? now)
      clusters.delete(clusterUid)
      const [oldest] = clusters.keys()
      if (clusters.size >= WATCHED_CLUSTERS_MAX && oldest !== undefined) clusters.delete(oldest)
      const lost = new Set([...since].flatMap(([shard, fromMs]) => (now - fromMs >= lostMs ? [shard] : [])))
      clusters.set(clusterUid, { lookedMs: now, since, lost })
      return lost
    },
    lost: (clusterUid) => {
      const known = clusters.get(clusterUid)
      return known !== undefined && nowMs() - known.lookedMs <= LOOKS_APART_MS_MAX ? known.lost : new Set()
    },
  }
}
