import type { TrueNowCluster } from '../api/v1alpha1/truenow-cluster.ts'
import { childMetadata, selectorLabels } from './child-metadata.ts'
import { kafkaParts } from './kafka-parts.ts'
import type { KubernetesObject } from './kubernetes-object.ts'
import {
  authorityFile,
  catalogEnvironment,
  ingesterEnvironment,
  mounted,
  secretFile,
} from './role-environment.ts'
import { type RolePod, rolePodTemplate } from './role-pod.ts'

const GRACE_SECONDS = 20

function deployment(
  cluster: TrueNowCluster,
  image: string,
  replicas: number,
  pod: RolePod,
): KubernetesObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: childMetadata(cluster, pod.role),
    spec: {
      replicas,
      selector: { matchLabels: selectorLabels(cluster, pod.role) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: rolePodTemplate(cluster, image, pod),
    },
  }
}

const resourcesOf = (section: Readonly<{ resources?: unknown }> | undefined) =>
  section?.resources === undefined ? {} : { resources: section.resources }

export function controlPlaneDeployment(cluster: TrueNowCluster, image: string): KubernetesObject {
  const { spec } = cluster
  const kafka = kafkaParts(cluster)
  const secret = secretFile('postgres', spec.postgres.urlSecretRef)
  const authority = authorityFile('postgres', spec.postgres.caSecretRef)
  return deployment(cluster, image, spec.controlPlane?.replicas ?? 1, {
    role: 'control-plane',
    environment: [
      ...kafka.environment,
      { name: 'TRUENOW_POSTGRES_URL_FILE', value: secret.path },
      ...(authority === undefined ? [] : [{ name: 'TRUENOW_POSTGRES_CA_FILE', value: authority.path }]),
    ],
    ...mounted([secret, authority], kafka),
    graceSeconds: GRACE_SECONDS,
    ...resourcesOf(spec.controlPlane),
  })
}

export function gatewayDeployment(cluster: TrueNowCluster, image: string): KubernetesObject {
  const { gateway } = cluster.spec
  const kafka = kafkaParts(cluster)
  return deployment(cluster, image, gateway?.replicas ?? 2, {
    role: 'gateway',
    ...kafka,
    environment: [...catalogEnvironment(cluster), ...kafka.environment],
    graceSeconds: GRACE_SECONDS,
    ...resourcesOf(gateway),
  })
}

export function ingesterDeployment(cluster: TrueNowCluster, image: string): KubernetesObject {
  const { ingester } = cluster.spec
  const kafka = kafkaParts(cluster)
  return deployment(cluster, image, ingester?.replicas ?? 2, {
    role: 'ingester',
    ...kafka,
    environment: [...catalogEnvironment(cluster), ...kafka.environment],
    graceSeconds: GRACE_SECONDS,
    ...resourcesOf(ingester),
  })
}

export function queryDeployment(cluster: TrueNowCluster, image: string): KubernetesObject {
  const { query, redis } = cluster.spec
  const secret = redis === undefined ? undefined : secretFile('redis', redis.urlSecretRef)
  const authority = authorityFile('redis', redis?.caSecretRef)
  return deployment(cluster, image, query?.replicas ?? 2, {
    role: 'query',
    environment: [
      ...catalogEnvironment(cluster),
      ...(secret === undefined ? [] : [{ name: 'TRUENOW_REDIS_URL_FILE', value: secret.path }]),
      ...(authority === undefined ? [] : [{ name: 'TRUENOW_REDIS_CA_FILE', value: authority.path }]),
      { name: 'QUERY_CACHE_TTL', value: String(query?.cacheTtlSeconds ?? 60) },
    ],
    ...mounted([secret, authority]),
    graceSeconds: GRACE_SECONDS,
    ...resourcesOf(query),
  })
}

export function watermarkDeployment(cluster: TrueNowCluster, image: string): KubernetesObject {
  const { watermark } = cluster.spec
  return deployment(cluster, image, watermark?.replicas ?? 1, {
    role: 'watermark',
    environment: [...catalogEnvironment(cluster), ...ingesterEnvironment(cluster)],
    graceSeconds: GRACE_SECONDS,
    ...resourcesOf(watermark),
  })
}
