import type { RoleState, Workload } from '../workloads.ts'
import type { Judgement } from './judgement.ts'

/** Does a restart of shards wait. In this version the operator restarts none: whoever wants the new template deletes pods. Pure. */
export function upgradeBlocked(shards: RoleState | undefined, workload: Workload | undefined): Judgement {
  const type = 'UpgradeBlocked'
  const old = (workload?.status?.replicas ?? 0) - (shards?.updated ?? 0)
  const { currentRevision, updateRevision } = workload?.status ?? {}
  if (
    workload === undefined ||
    shards?.updated === undefined ||
    currentRevision === updateRevision ||
    old <= 0
  )
    return { type, status: 'False', reason: 'NothingWaits', message: 'Every shard runs the newest template.' }
  const message = `${old} of ${workload.status?.replicas} shards run an older template, and this version of the operator restarts none. Delete their pods one at a time, each after the cluster is Ready again.`
  return { type, status: 'True', reason: 'RestartIsManual', message }
}
