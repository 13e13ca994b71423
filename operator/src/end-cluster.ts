import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DeletionPolicy } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { CLUSTER_LABEL, FINALIZER } from './api/names.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import { CLUSTERS, VOLUME_CLAIMS } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { overdue, UNREACHABLE_MS_MAX } from './overdue.ts'
import { releaseFinalizer } from './release-finalizer.ts'
import { tablesOfCluster } from './tables-of-cluster.ts'
import { whatStaysOfCluster } from './what-stays.ts'

/**
 * Ends a cluster whose deletionPolicy is Delete: topics and catalog by the control plane, which runs until the object goes;
 * then the volumes, which Kubernetes holds back until the last pod has left them. Another operator's cluster is left alone.
 */
export async function endCluster(
  context: OperatorContext,
  cluster: TrueNowCluster,
): Promise<{ afterMs: number } | undefined> {
  const { metadata, spec, status } = cluster
  if (!(metadata.finalizers ?? []).includes(FINALIZER)) return undefined
  if (status?.operator !== undefined && status.operator !== context.identity) return undefined
  try {
    const policy = DeletionPolicy.DELETE
    await context.operands.controlPlane(metadata).deleteCluster({ uid: metadata.uid, policy })
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    if (!overdue(metadata, context.clock)) return { afterMs: 2_000 }
    const stays = whatStaysOfCluster(metadata, tablesOfCluster(context.tables, metadata), spec.hotTier.shards)
    const note = `Not deleted, because the control plane has not answered for ${UNREACHABLE_MS_MAX / 1_000} s: ${stays.join('; ')}.`
    await context.record(cluster, { type: 'Warning', reason: 'DataRetained', action: 'GiveUp', note })
    await releaseFinalizer(context.kubernetes, CLUSTERS, cluster)
    return undefined
  }
  await removeVolumes(context, cluster)
  const note = 'Topics, catalog and volumes are deleted (deletionPolicy Delete).'
  await context.record(cluster, { type: 'Normal', reason: 'DataDeleted', action: 'Delete', note })
  await releaseFinalizer(context.kubernetes, CLUSTERS, cluster)
  return undefined
}

async function removeVolumes({ kubernetes }: OperatorContext, { metadata }: TrueNowCluster): Promise<void> {
  const { namespace, name } = metadata
  const labelSelector = `${CLUSTER_LABEL}=${name}`
  const { items } = await kubernetes.list(VOLUME_CLAIMS, { namespace, labelSelector })
  for (const claim of items) {
    if (claim.metadata.deletionTimestamp !== undefined) continue
    await kubernetes.remove(VOLUME_CLAIMS, { namespace, name: claim.metadata.name }, claim.metadata.uid)
  }
}
