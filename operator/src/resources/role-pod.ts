import { ROLE_PORTS, type Role } from '@truenow/contracts/ports.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { childLabels, selectorLabels } from './child-metadata.ts'
import { leafSecretName } from './leaf-secret-name.ts'

export type EnvironmentEntry = Readonly<{ name: string; value?: string; valueFrom?: unknown }>
export type RolePod = Readonly<{
  role: Exclude<Role, 'operator'>
  environment: readonly EnvironmentEntry[]
  volumes?: readonly unknown[]
  volumeMounts?: readonly unknown[]
  /** Where the role may write its kept catalog; an emptyDir unless a volume of its own is there. */
  catalogOnVolume?: boolean
  resources?: unknown
  graceSeconds: number
}>

const CATALOG_DIRECTORY = '/var/lib/truenow'
export const CERTIFICATES_VOLUME = 'tls'
const CERTIFICATES_DIRECTORY = '/run/secrets/truenow/tls'

/** Whether the pods of this cluster get certificates; in `Disable` they are as they were before there were any. */
export const hasCertificates = ({ spec }: TrueNowCluster): boolean =>
  (spec.tls?.mode ?? 'Disable') !== 'Disable'

/** The pod template of one role: Pod Security *restricted*, no token, probes on its own HTTP port. */
export function rolePodTemplate(cluster: TrueNowCluster, image: string, pod: RolePod) {
  const { role } = pod
  const { spec, metadata } = cluster
  const ownDirectory = pod.catalogOnVolume !== true
  const custom = (spec.podTemplate ?? {}) as Readonly<Record<string, unknown>>
  return {
    metadata: { labels: childLabels(cluster, role) },
    spec: {
      ...scheduling(custom),
      serviceAccountName: `${metadata.name}-${role}`,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: pod.graceSeconds + 10,
      ...(spec.imagePullSecrets === undefined ? {} : { imagePullSecrets: spec.imagePullSecrets }),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_532,
        runAsGroup: 65_532,
        fsGroup: 65_532,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'ScheduleAnyway',
          labelSelector: { matchLabels: selectorLabels(cluster, role) },
        },
      ],
      containers: [container(cluster, image, pod)],
      volumes: [
        { name: 'tmp', emptyDir: { sizeLimit: '64Mi' } },
        ...(ownDirectory ? [{ name: 'catalog', emptyDir: { sizeLimit: '64Mi' } }] : []),
        ...(hasCertificates(cluster) ? [certificatesVolume(cluster, role)] : []),
        ...(pod.volumes ?? []),
      ],
    },
  }
}

const certificatesVolume = ({ metadata }: TrueNowCluster, role: Role) => ({
  name: CERTIFICATES_VOLUME,
  secret: { secretName: leafSecretName(metadata.name, role), defaultMode: 0o440 },
})

function container(cluster: TrueNowCluster, image: string, pod: RolePod) {
  const { role } = pod
  const { http, grpc } = ROLE_PORTS[role]
  const probe = (path: string) => ({ httpGet: { path, port: 'http', scheme: 'HTTP' } })
  return {
    name: role,
    image,
    imagePullPolicy: cluster.spec.imagePullPolicy ?? 'IfNotPresent',
    args: [role],
    env: [
      { name: 'TRUENOW_POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'TRUENOW_KUBERNETES_NAMESPACE', value: cluster.metadata.namespace },
      { name: 'TRUENOW_CLUSTER', value: cluster.metadata.name },
      { name: 'TRUENOW_GRACE_SECONDS', value: String(pod.graceSeconds) },
      ...(hasCertificates(cluster) ? [{ name: 'TRUENOW_TLS_DIRECTORY', value: CERTIFICATES_DIRECTORY }] : []),
      ...pod.environment,
    ],
    ports: [
      { name: 'http', containerPort: http, protocol: 'TCP' },
      { name: 'grpc', containerPort: grpc, protocol: 'TCP' },
    ],
    startupProbe: { ...probe('/livez'), periodSeconds: 1, failureThreshold: 120, timeoutSeconds: 5 },
    livenessProbe: { ...probe('/livez'), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
    readinessProbe: { ...probe('/readyz'), periodSeconds: 1, failureThreshold: 3, timeoutSeconds: 5 },
    resources: pod.resources ?? { requests: { cpu: '20m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      ...(pod.catalogOnVolume === true ? [] : [{ name: 'catalog', mountPath: CATALOG_DIRECTORY }]),
      ...(hasCertificates(cluster)
        ? [{ name: CERTIFICATES_VOLUME, mountPath: CERTIFICATES_DIRECTORY, readOnly: true }]
        : []),
      ...(pod.volumeMounts ?? []),
    ],
  }
}

/** What a user may add to every pod; anything else would be ours to answer for. */
function scheduling(custom: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const allowed = ['nodeSelector', 'tolerations', 'affinity', 'priorityClassName']
  return Object.fromEntries(allowed.flatMap((key) => (custom[key] === undefined ? [] : [[key, custom[key]]])))
}

export const catalogFile = `${CATALOG_DIRECTORY}/catalog.bin`
