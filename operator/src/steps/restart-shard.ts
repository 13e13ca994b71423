import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { PODS } from '../kubernetes/resources.ts'
import type { OperatorContext } from '../operator-context.ts'
import { newRestartMemory, type RestartMemory } from '../restarts/restart-memory.ts'
import type { ShardPod } from '../restarts/restart-state.ts'

/** Why a pod of a shard was deleted; part of the Event. */
export type RestartReason = 'TemplateChanged' | 'BrokenRevision'

/**
 * Deletes the pod of one shard, so that its set makes it anew from the newest template. Only as it was judged: a pod that has
 * changed since is not touched. Errors: KubernetesError, with reason Conflict then.
 */
export async function restartShard(
  context: OperatorContext,
  cluster: TrueNowCluster,
  { name, uid, resourceVersion, revision }: ShardPod,
  told: Readonly<{ reason: RestartReason; newest: string | undefined }>,
): Promise<void> {
  const { kubernetes, log, record } = context
  const { namespace } = cluster.metadata
  // Before the call: an answer that is lost says nothing about what was done.
  memoryOf(context, cluster).deleted.add(uid)
  try {
    await kubernetes.remove(PODS, { namespace, name }, uid, { resourceVersion })
  } catch (error) {
    memoryOf(context, cluster).deleted.delete(uid)
    throw error
  }
  const { reason, newest } = told
  log.info(
    { namespace, cluster: cluster.metadata.name, pod: name, reason, revision, newest },
    'shard restarts',
  )
  const note = `Pod ${name} restarts (${reason}): it runs ${revision}, the newest template is ${newest}.`
  await record(cluster, { type: 'Normal', reason: 'ShardRestart', action: 'Restart', note })
}

export function memoryOf({ restarts }: OperatorContext, { metadata }: TrueNowCluster): RestartMemory {
  const known = restarts.get(metadata.uid) ?? newRestartMemory()
  restarts.set(metadata.uid, known)
  return known
}
