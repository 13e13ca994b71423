import { TrueNowError } from '@truenow/contracts/errors.ts'
import { DeletionPolicy } from '@truenow/contracts/gen/truenow/v1/catalog_pb.ts'
import { FINALIZER } from './api/names.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import { loadOwnCertificate } from './certificates/load-own-certificate.ts'
import { heldByAnother } from './held-by-another.ts'
import { CLUSTERS, VOLUME_CLAIMS } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import { overdue, UNREACHABLE_MS_MAX } from './overdue.ts'
import { releaseFinalizer } from './release-finalizer.ts'
import { labelSelectorOf, selectorLabels } from './resources/child-metadata.ts'
import { tablesOfCluster } from './tables-of-cluster.ts'
import { whatStaysOfCluster } from './what-stays.ts'

/**
 * Ends a cluster whose deletionPolicy is Delete: topics and catalog by the control plane, which runs until the object goes;
 * then the volumes, which Kubernetes holds back until the last pod has left them. Another operator's cluster is left alone,
 * and so is the data when the policy became Retain meanwhile or the control plane says that it is not this object's.
 */
export async function endCluster(
  context: OperatorContext,
  cluster: TrueNowCluster,
): Promise<{ afterMs: number } | undefined> {
  const { metadata } = cluster
  if (!(metadata.finalizers ?? []).includes(FINALIZER)) return undefined
  if (heldByAnother(cluster, context.identity)) return undefined
  // Once it is gone, retireDeparted frees the name and says what stays.
  if (cluster.spec.deletionPolicy !== 'Delete') return releaseFinalizer(context.kubernetes, CLUSTERS, cluster)
  await loadOwnCertificate(context, cluster)
  let kept: readonly string[]
  try {
    const request = { uid: metadata.uid, policy: DeletionPolicy.DELETE }
    const controlPlane = context.operands.controlPlane(metadata)
    const answer = await context.leaderEpochs.under(metadata, (leaderEpoch) =>
      controlPlane.deleteCluster({ ...request, leaderEpoch }),
    )
    kept = answer.kept
  } catch (error) {
    if (!(error instanceof TrueNowError)) throw error
    // Until the object goes the control plane stays, unless its namespace goes: then it will never answer again.
    const { namespace, name } = metadata
    if (context.child('Deployment', { namespace, name: `${name}-control-plane` }) === undefined)
      return letGo(context, cluster, `its control plane is gone (${error.message})`)
    if (!overdue(metadata, context.clock)) return { afterMs: 2_000 }
    const seconds = UNREACHABLE_MS_MAX / 1_000
    return letGo(context, cluster, `it could not be done within ${seconds} s (${error.message})`)
  }
  // Volumes carry the name of the cluster and not its uid: they may be what an earlier object of this name retained.
  if (kept.length > 0)
    return letGo(context, cluster, `it is not this object’s to delete (${kept.join('; ')})`)
  await removeVolumes(context, cluster)
  const note = 'Topics, catalog and volumes are deleted (deletionPolicy Delete).'
  await context.record(cluster, { type: 'Normal', reason: 'DataDeleted', action: 'Delete', note })
  await releaseFinalizer(context.kubernetes, CLUSTERS, cluster)
  return undefined
}

async function letGo(context: OperatorContext, cluster: TrueNowCluster, why: string): Promise<undefined> {
  const { metadata, spec } = cluster
  const stays = whatStaysOfCluster(metadata, tablesOfCluster(context.tables, metadata), spec.hotTier.shards)
  const note = `Not deleted, because ${why}: ${stays.join('; ')}.`
  await context.record(cluster, { type: 'Warning', reason: 'DataRetained', action: 'GiveUp', note })
  return releaseFinalizer(context.kubernetes, CLUSTERS, cluster)
}

/** The volumes of the shards and no others, whatever else may carry the cluster's label. */
async function removeVolumes({ kubernetes }: OperatorContext, cluster: TrueNowCluster): Promise<void> {
  const { namespace } = cluster.metadata
  const labelSelector = labelSelectorOf(selectorLabels(cluster, 'hot-tier'))
  const { items } = await kubernetes.list(VOLUME_CLAIMS, { namespace, labelSelector })
  for (const claim of items) {
    if (claim.metadata.deletionTimestamp !== undefined) continue
    await kubernetes.remove(VOLUME_CLAIMS, { namespace, name: claim.metadata.name }, claim.metadata.uid)
  }
}
