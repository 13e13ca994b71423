import { provisionerName } from '../addons/local-storage.ts'
import { clusterNetwork } from '../cluster-network.ts'

export type Claim = Readonly<{
  metadata: {
    name: string
    namespace: string
    uid: string
    annotations?: Record<string, string>
    deletionTimestamp?: string
  }
  spec: {
    storageClassName?: string
    volumeName?: string
    accessModes?: string[]
    resources?: { requests?: { storage?: string } }
  }
}>
export type Volume = Readonly<{
  metadata: { name: string; annotations?: Record<string, string>; deletionTimestamp?: string }
  spec: { persistentVolumeReclaimPolicy?: string }
  status?: { phase?: string }
}>
export type VolumePlan = Readonly<{
  create: ReadonlyArray<{ name: string; volume: object }>
  remove: readonly string[]
}>

const provisionedBy = 'pv.kubernetes.io/provisioned-by'

/**
 * What is to be done about volumes: one for each claim whose first pod was scheduled, none for released ones.
 * Names come from the claim's uid, so doing it twice is harmless and two claims never share a directory.
 */
export function planVolumes(
  claims: readonly Claim[],
  volumes: readonly Volume[],
  directory: string,
): VolumePlan {
  const existing = new Set(volumes.map(({ metadata }) => metadata.name))
  const create = claims
    .filter(({ metadata, spec }) => isWaiting(metadata, spec) && !existing.has(`pvc-${metadata.uid}`))
    .map((claim) => ({ name: `pvc-${claim.metadata.uid}`, volume: volumeFor(claim, directory) }))
  const remove = volumes
    .filter(
      ({ metadata, spec, status }) =>
        metadata.annotations?.[provisionedBy] === provisionerName &&
        metadata.deletionTimestamp === undefined &&
        spec.persistentVolumeReclaimPolicy === 'Delete' &&
        status?.phase === 'Released',
    )
    .map(({ metadata }) => metadata.name)
  return { create, remove }
}

const isWaiting = (metadata: Claim['metadata'], spec: Claim['spec']): boolean =>
  spec.storageClassName === 'local' &&
  !spec.volumeName &&
  metadata.deletionTimestamp === undefined &&
  metadata.annotations?.['volume.kubernetes.io/selected-node'] !== undefined

function volumeFor({ metadata, spec }: Claim, directory: string): object {
  const name = `pvc-${metadata.uid}`
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { [provisionedBy]: provisionerName } },
    spec: {
      storageClassName: 'local',
      accessModes: spec.accessModes ?? ['ReadWriteOnce'],
      capacity: { storage: spec.resources?.requests?.storage ?? '1Gi' },
      persistentVolumeReclaimPolicy: 'Delete',
      volumeMode: 'Filesystem',
      hostPath: { path: `${directory}/${name}`, type: 'Directory' },
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
      },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: 'kubernetes.io/hostname', operator: 'In', values: [clusterNetwork.nodeName] },
              ],
            },
          ],
        },
      },
    },
  }
}
