import type { GetPlacementResponse } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { isReady, type Pod } from '../workloads.ts'

/** What this process knows of restarts of one cluster's shards and no cache shows yet. Lost at its end, and made anew. */
export type RestartMemory = Readonly<{
  /** Uids of pods that were deleted here and are still in the cache. */
  deleted: Set<string>
  /** By process of a pod: when its shard had last reported as this process was first seen ready. */
  reportedUs: Map<string, bigint>
}>

export const newRestartMemory = (): RestartMemory => ({ deleted: new Set(), reportedUs: new Map() })

/**
 * Takes in what pods and reports there are, forgets pods that are gone, and answers which pods' shards have reported since
 * their process was first seen ready: only then is a report that process's own, and no clock is compared with another.
 */
export function noteReports(
  { deleted, reportedUs }: RestartMemory,
  pods: readonly Pod[],
  placement: GetPlacementResponse | undefined,
): (pod: Pod, shard: number) => boolean {
  const uids = new Set(pods.map(({ metadata }) => metadata.uid))
  for (const uid of deleted) if (!uids.has(uid)) deleted.delete(uid)
  const processes = new Set(pods.map(processOf))
  for (const process of reportedUs.keys()) if (!processes.has(process)) reportedUs.delete(process)
  const lastUs = new Map(placement?.loads.map(({ shard, reportedAtUs }) => [shard, reportedAtUs]))
  return (pod, shard) => {
    if (!isReady(pod)) return false
    const process = processOf(pod)
    const nowUs = lastUs.get(shard) ?? 0n
    const firstUs = reportedUs.get(process)
    if (firstUs === undefined && placement !== undefined) reportedUs.set(process, nowUs)
    return firstUs !== undefined && nowUs > firstUs
  }
}

/** A container that starts again in the same pod is another process. */
const processOf = ({ metadata, status }: Pod): string =>
  `${metadata.uid}/${(status?.containerStatuses ?? []).map(({ restartCount = 0 }) => restartCount).join()}`
