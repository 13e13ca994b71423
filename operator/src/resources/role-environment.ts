import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { catalogFile, type EnvironmentEntry } from './role-pod.ts'

/** host:port of a role's Service inside Kubernetes. */
const service = ({ metadata }: TrueNowCluster, role: string, port: number): string =>
  `${metadata.name}-${role}.${metadata.namespace}.svc:${port}`

/** Settings of every role that follows the catalog. */
export function catalogEnvironment(cluster: TrueNowCluster, file = catalogFile): EnvironmentEntry[] {
  return [
    { name: 'TRUENOW_CONTROL_PLANE', value: service(cluster, 'control-plane', 9_080) },
    { name: 'TRUENOW_CATALOG_FILE', value: file },
  ]
}

export const kafkaEnvironment = ({ spec }: TrueNowCluster): EnvironmentEntry[] => [
  { name: 'TRUENOW_KAFKA_BROKERS', value: spec.kafka.brokers.join(',') },
]

/** The headless Service of the ingesters: every address behind it is one. */
export const ingesterEnvironment = (cluster: TrueNowCluster): EnvironmentEntry[] => [
  { name: 'TRUENOW_INGESTERS', value: service(cluster, 'ingester', 9_100) },
]

/** A secret as a mounted file, never as an environment variable: it may rotate, and must not leak into a pod's spec. */
export function secretFile(name: string, ref: Readonly<{ name: string; key: string }>) {
  const mountPath = `/run/secrets/truenow/${name}`
  return {
    volume: {
      name,
      secret: { secretName: ref.name, defaultMode: 0o440, items: [{ key: ref.key, path: 'url' }] },
    },
    volumeMount: { name, mountPath, readOnly: true },
    path: `${mountPath}/url`,
  }
}
