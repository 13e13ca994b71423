import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { catalogFile, type EnvironmentEntry, type RolePod } from './role-pod.ts'

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

/** The headless Service of the ingesters: every address behind it is one. */
export const ingesterEnvironment = (cluster: TrueNowCluster): EnvironmentEntry[] => [
  { name: 'TRUENOW_INGESTERS', value: service(cluster, 'ingester', 9_100) },
]

type Key = Readonly<{ name: string; key: string }>

/** A secret as a mounted file, never as an environment variable: it may rotate, and must not leak into a pod's spec. */
export const secretFile = (name: string, ref: Key, file = 'url') =>
  secretFiles(name, ref.name, [{ key: ref.key, path: file }])

/** Several keys of one Secret, side by side in one directory. `path` is the first of them. */
export function secretFiles(
  name: string,
  secretName: string,
  items: ReadonlyArray<Readonly<{ key: string; path: string }>>,
) {
  const mountPath = `/run/secrets/truenow/${name}`
  return {
    volume: { name, secret: { secretName, defaultMode: 0o440, items } },
    volumeMount: { name, mountPath, readOnly: true },
    directory: mountPath,
    path: `${mountPath}/${items[0]?.path}`,
  }
}

/** The authority of an outside system, where the spec names one. */
export function authorityFile(system: string, ref: Partial<Key> | undefined) {
  if (ref?.name === undefined) return undefined
  return secretFile(`${system}-ca`, { name: ref.name, key: ref.key ?? 'ca.crt' }, 'ca.crt')
}

export type Mounts = Required<Pick<RolePod, 'volumes' | 'volumeMounts'>>

/** What a pod has of the files that the spec asks for, before those of `more`. */
export function mounted(
  files: ReadonlyArray<ReturnType<typeof secretFile> | undefined>,
  more: Mounts = { volumes: [], volumeMounts: [] },
): Mounts {
  const there = files.filter((one) => one !== undefined)
  return {
    volumes: [...there.map(({ volume }) => volume), ...more.volumes],
    volumeMounts: [...there.map(({ volumeMount }) => volumeMount), ...more.volumeMounts],
  }
}
