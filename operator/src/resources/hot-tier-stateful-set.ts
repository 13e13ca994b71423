import { HOT_TIER_WORKERS_DEFAULT, type TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { bytesOfQuantity } from '../quantity.ts'
import { childMetadata, selectorLabels } from './child-metadata.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import { catalogEnvironment, ingesterEnvironment } from './role-environment.ts'
import { rolePodTemplate } from './role-pod.ts'

const DATA_DIRECTORY = '/data'
const GRACE_SECONDS = 30
/**
 * Of a shard's memory, what its process may take; the rest is for what the kernel counts beside it (pages of snapshots, sockets) and a
 * spare. As large as the rows' share was when the process took what it needed beside it: a live cluster's template stays as it is.
 */
const PROCESS_SHARE = 0.5
/** Of a core, asked for each worker where there is more than one: whoever wants several means them to run at once. */
const CPU_MILLI_A_WORKER = 500

/**
 * The shards. OnDelete, because only the operator may judge when a shard can restart; Parallel, because a set in order stays
 * stuck behind a pod that never gets ready (kubernetes#67250). Volumes outlive pods and the set.
 */
export function hotTierStatefulSet(
  cluster: TrueNowCluster,
  image: string,
  /** More than the spec asks for while some are being emptied. */
  shards: number = cluster.spec.hotTier.shards,
): KubernetesObject {
  const { hotTier } = cluster.spec
  const { workers = HOT_TIER_WORKERS_DEFAULT } = hotTier // A CRD older than this operator does not fill it in.
  const { name, namespace } = cluster.metadata
  const memoryBytes = bytesOfQuantity(hotTier.memoryPerShard)
  const template = rolePodTemplate(cluster, image, {
    role: 'hot-tier',
    environment: [
      ...catalogEnvironment(cluster, `${DATA_DIRECTORY}/catalog.bin`),
      ...ingesterEnvironment(cluster),
      { name: 'TRUENOW_SHARD_DOMAIN', value: `${name}-hot-tier.${namespace}.svc` },
      { name: 'TRUENOW_DATA_DIRECTORY', value: DATA_DIRECTORY },
      ...workersEnvironment(workers),
      { name: 'HOT_TIER_MEMORY_GB', value: ((memoryBytes * PROCESS_SHARE) / 2 ** 30).toFixed(3) },
    ],
    volumeMounts: [{ name: 'data', mountPath: DATA_DIRECTORY }],
    catalogOnVolume: true,
    graceSeconds: GRACE_SECONDS,
    resources: hotTier.resources ?? {
      requests: { cpu: `${cpuRequestMilli(workers)}m`, memory: '256Mi' },
      limits: { memory: hotTier.memoryPerShard },
    },
  })
  const { size, storageClassName } = hotTier.storage
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: childMetadata(cluster, 'hot-tier'),
    spec: {
      serviceName: `${name}-hot-tier`,
      replicas: shards,
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'OnDelete' },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: selectorLabels(cluster, 'hot-tier') },
      template,
      volumeClaimTemplates: [
        {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: { name: 'data', labels: selectorLabels(cluster, 'hot-tier') },
          spec: {
            accessModes: ['ReadWriteOnce'],
            volumeMode: 'Filesystem',
            resources: { requests: { storage: size } },
            ...(storageClassName === undefined ? {} : { storageClassName }),
          },
        },
      ],
    },
  }
}

/** Nothing for the default: the template of a cluster that was made before there were workers stays as it is. */
const workersEnvironment = (workers: number) =>
  workers === HOT_TIER_WORKERS_DEFAULT ? [] : [{ name: 'TRUENOW_HOT_TIER_WORKERS', value: String(workers) }]

const cpuRequestMilli = (workers: number): number =>
  workers === HOT_TIER_WORKERS_DEFAULT ? 50 : workers * CPU_MILLI_A_WORKER
