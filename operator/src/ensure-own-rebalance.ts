import { API_VERSION } from './api/names.ts'
import type { Rebalance, RebalanceSpec } from './api/v1alpha1/rebalance.ts'
import type { TrueNowCluster } from './api/v1alpha1/truenow-cluster.ts'
import { KubernetesError } from './kubernetes/kubernetes-port.ts'
import { REBALANCES } from './kubernetes/resources.ts'
import type { OperatorContext } from './operator-context.ts'
import type { RepairMode } from './propose-rebalance.ts'
import { childMetadata } from './resources/child-metadata.ts'

const NAMES: Readonly<Record<RepairMode, string>> = { RemoveShards: 'remove-shards', Repair: 'repair' }

/**
 * Makes the Rebalance by which the operator does what the spec asks for, where it is not there: one of each mode a cluster,
 * which goes with it and is used again. One of that name that people made is theirs, and is left alone.
 */
export async function ensureOwnRebalance(
  { kubernetes, rebalances, log }: OperatorContext,
  cluster: TrueNowCluster,
  mode: RepairMode,
): Promise<void> {
  const { name, namespace } = cluster.metadata
  const own = `${name}-${NAMES[mode]}`
  if (rebalances.get({ namespace, name: own }) !== undefined) return
  const metadata = childMetadata(cluster, 'operator', own)
  const spec: RebalanceSpec = { clusterRef: { name }, mode }
  try {
    await kubernetes.create(REBALANCES, { apiVersion: API_VERSION, kind: REBALANCES.kind, metadata, spec })
    log.info({ cluster: name, rebalance: own }, 'replicas have to move; a Rebalance is made')
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.reason !== 'AlreadyExists') throw error
  }
}

/** Whether the operator made it for this very cluster: then nobody has to approve it. Pure. */
export const isOwn = ({ metadata, spec }: Rebalance, cluster: TrueNowCluster): boolean =>
  spec.mode !== 'Full' && (metadata.ownerReferences ?? []).some(({ uid }) => uid === cluster.metadata.uid)
