import type { TlsFiles } from '@truenow/chassis/tls-credentials.ts'
import type { Role } from '@truenow/contracts/ports.ts'
import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import type { KubernetesPort, Stored } from '../kubernetes/kubernetes-port.ts'
import { SECRETS } from '../kubernetes/resources.ts'
import { childMetadata } from '../resources/child-metadata.ts'
import type { KubernetesObject } from '../resources/kubernetes-object.ts'
import { leafSecretName } from '../resources/leaf-secret-name.ts'
import { type Authorities, decodeAuthorities, encodeAuthorities, type SecretData } from './authorities.ts'
import { decodeLeaf, encodeLeaf, LEAF_ROLES } from './leaf-secret.ts'

type Secret = Stored & Readonly<{ data?: SecretData }>
/** What stands of a cluster's Secrets. They are read one by one and by name: nothing may list or watch the Secrets of a namespace. */
export type ClusterSecrets = Readonly<{
  /** Undefined: none, or not readable as ours. */
  authorities: Authorities | undefined
  /** Precondition of the next write; undefined: it is not there. */
  version: string | undefined
  leaves: ReadonlyMap<Role, TlsFiles>
  /** Name of a Secret that is somebody else's. */
  taken: string | undefined
}>

export const authoritySecretName = ({ metadata }: TrueNowCluster): string => `${metadata.name}-ca`

/** Errors: KubernetesError. */
export async function readSecrets(
  kubernetes: KubernetesPort,
  cluster: TrueNowCluster,
): Promise<ClusterSecrets> {
  const { namespace, name: clusterName, uid } = cluster.metadata
  const read = (name: string) => kubernetes.get<Secret>(SECRETS, { namespace, name })
  const names = [authoritySecretName(cluster), ...LEAF_ROLES.map((role) => leafSecretName(clusterName, role))]
  const [authority, ...leaves] = await Promise.all(names.map(read))
  const isOurs = ({ metadata }: Secret) => (metadata.ownerReferences ?? []).some((owner) => owner.uid === uid)
  const foreign = [authority, ...leaves].find((one) => one !== undefined && !isOurs(one))
  return {
    authorities: authority === undefined ? undefined : decodeAuthorities(authority.data ?? {}),
    version: authority?.metadata.resourceVersion,
    leaves: new Map(
      LEAF_ROLES.flatMap((role, at) => {
        const data = leaves[at]?.data
        return data === undefined ? [] : [[role, decodeLeaf(data)] as const]
      }),
    ),
    taken: foreign?.metadata.name,
  }
}

/** The certificate and the key of one role. Read again by nobody but that role's pods. */
export async function readLeaf(
  kubernetes: KubernetesPort,
  cluster: TrueNowCluster,
  role: Role,
): Promise<TlsFiles | undefined> {
  const { namespace, name } = cluster.metadata
  const found = await kubernetes.get<Secret>(SECRETS, { namespace, name: leafSecretName(name, role) })
  return found?.data === undefined ? undefined : decodeLeaf(found.data)
}

/** Answers the new version. Only as long as nobody else wrote it: two operators must never issue from two authorities. Errors: KubernetesError, reason Conflict. */
export async function writeAuthorities(
  kubernetes: KubernetesPort,
  cluster: TrueNowCluster,
  authorities: Authorities,
  version: string | undefined,
): Promise<string | undefined> {
  const secret = secretOf(
    cluster,
    'ca',
    authoritySecretName(cluster),
    'Opaque',
    encodeAuthorities(authorities),
  )
  const metadata = { ...secret.metadata, resourceVersion: version }
  const written =
    version === undefined
      ? await kubernetes.create(SECRETS, secret)
      : await kubernetes.apply(SECRETS, { ...secret, metadata }, { force: true })
  return written.metadata.resourceVersion
}

export async function writeLeaf(
  kubernetes: KubernetesPort,
  cluster: TrueNowCluster,
  role: Role,
  files: TlsFiles,
): Promise<void> {
  const name = leafSecretName(cluster.metadata.name, role)
  const secret = secretOf(cluster, role, name, 'kubernetes.io/tls', encodeLeaf(files))
  await kubernetes.apply(SECRETS, secret, { force: true })
}

const secretOf = (
  cluster: TrueNowCluster,
  component: string,
  name: string,
  type: string,
  data: SecretData,
): KubernetesObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: childMetadata(cluster, component, name),
  type,
  data,
})
